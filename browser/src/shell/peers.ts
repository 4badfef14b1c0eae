/** The connections of a seeding page, and what goes over them. What it fetches itself is the business of the loader's engine, if there is one. */

import type { Totals } from '../core/counts';
import type { Digest, PieceId } from '../core/digest';
import type { PeerKey } from '../core/fetch/types';
import { encodeFrame } from '../core/frame';
import type { Frame, ServingFrame } from '../core/frame';
import type { Fault } from '../core/generated/Fault';
import type { Push } from '../core/generated/Push';
import { DIAL_GIVEN_UP_MS, IDLE_MS, LOOK_OVER_MS } from '../core/generated/sessionPolicy';
import { BUFFER_LEN_LOW } from '../core/generated/uploadPolicy';
import { HELLO_MANIFESTS_MAX, MANIFEST_PART_LEN_MAX, QUERY_IDS_MAX } from '../core/limits';
import { planned } from '../core/push';
import { Upload } from '../core/upload';
import { now } from './clock';
import type { PieceStore } from './piecestore';
import { INTERESTED_IDS_MAX, HAVE_MS } from './limits';
import { closeLink, sendFrame, sendOn } from './link';
import type { Link, LinkHandler } from './link';
import { isComplete } from './pagemanifest';
import type { PageManifest } from './pagemanifest';
import type { EngineDriver } from './handover';

/** Who hears of the connections. */
export interface PeersHost {
  readonly pieceStore: PieceStore;
  readonly manifests: ReadonlyMap<Digest, PageManifest>;
  readonly totals: Totals;
  readonly engineDriver: EngineDriver | undefined;
  /** The manifest that the visit's engine fetches. */
  readonly sought: Digest | undefined;
  handleOpened(link: Link): void;
  handleDisconnected(link: Link): void;
  handleFault(link: Link, fault: Fault): void;
  /** Bytes went one way or the other. */
  grew(): void;
}

/** All connections of this page that were dialled or answered. */
export class Peers implements LinkHandler {
  readonly links = new Map<PeerKey, Link>();
  readonly upload = new Upload();
  readonly #host: PeersHost;
  readonly #pushes = new Map<PeerKey, Push>();
  #uploadTimer: ReturnType<typeof setTimeout> | undefined;
  #lookTimer: ReturnType<typeof setInterval> | undefined;
  /** Pieces that a peer asked about and did not get yet. */
  readonly #interested = new Map<PeerKey, Set<PieceId>>();
  #haveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: PeersHost) {
    this.#host = host;
    if (host.engineDriver) host.engineDriver.tell.fault = (link, fault) => this.#dropped(link, fault);
  }

  /** Takes over a connection, open or about to be; `push` is what to send once it opens. */
  add(link: Link, push: Push | null): void {
    this.links.set(link.key, link);
    this.#lookTimer ??= setInterval(() => this.#lookOver(), LOOK_OVER_MS);
    if (push) this.#pushes.set(link.key, push);
    if (this.#host.engineDriver) this.#host.engineDriver.links[link.key] = link;
    link.handler = this;
    link.pieces.bufferedAmountLowThreshold = BUFFER_LEN_LOW;
    link.pieces.onbufferedamountlow = () => this.#handleLow(link);
    if (link.opened) this.#begin(link, []);
  }

  /** What the tracker allows now. */
  limit(slots: number, bytesPerS: number): void {
    this.upload.handleLimits(now(), slots, bytesPerS);
    this.#pump();
  }

  /** Open connections. */
  opened(): Link[] {
    return [...this.links.values()].filter((link) => link.opened);
  }

  /** Ends them all. */
  stop(reason: 1 | 4): void {
    clearTimeout(this.#uploadTimer);
    clearInterval(this.#lookTimer);
    clearTimeout(this.#haveTimer);
    for (const link of this.links.values()) {
      closeLink(link, reason);
      this.#host.engineDriver?.disconnected(link);
    }
    this.links.clear();
  }

  handleOpen(link: Link): void {
    const { manifests } = this.#host;
    const complete = [...manifests.values()].filter(isComplete).slice(-HELLO_MANIFESTS_MAX);
    sendFrame(link, { kind: 'hello', manifests: complete.map(({ digest }) => digest) });
    const push = this.#pushes.get(link.key);
    const page = push && manifests.get(push.manifest);
    if (page) this.#sendManifest(link, page);
    this.#begin(link, page ? planned(push, page.pieces) : []);
    this.#host.handleOpened(link);
  }

  handleFrame(link: Link, frame: Frame): void {
    const { pieceStore, manifests, engineDriver } = this.#host;
    const holds = (id: PieceId): boolean => pieceStore.has(id);
    // A peer that we dialled may push what this page holds anyway.
    if (frame.kind === 'piece' && holds(frame.id)) return void engineDriver?.engine.accept({ kind: 'peer', peer: link.key }, frame.id);
    if (engineDriver && frame.kind === 'piece') return void engineDriver.takePiece(frame, link).then(() => this.#host.grew());
    if (engineDriver?.takeControl(frame, link, frame.kind === 'hello' && frame.manifests.some((manifest) => manifest === this.#host.sought))) return;
    if (frame.kind === 'want') this.upload.handleWant(now(), link.key, frame.ids, holds);
    else if (frame.kind === 'cancel') this.upload.handleCancel(now(), link.key, frame.ids);
    else if (frame.kind === 'query') this.#sendHave(link, frame.ids);
    else if (frame.kind === 'want-manifest') {
      // One request is 33 bytes, the answer up to 4 MiB.
      const page = manifests.get(frame.manifest);
      link.manifestsAsked = (link.manifestsAsked ?? 0) + 1;
      if (link.manifestsAsked > HELLO_MANIFESTS_MAX) this.#drop(link, 'malformed');
      else if (page) this.#sendManifest(link, page);
    } else if (frame.kind === 'bye') {
      closeLink(link);
      this.handleClosed(link);
    } else if (frame.kind === 'piece') this.#drop(link, 'unasked');
    this.#pump();
  }

  handleMalformed(link: Link): void {
    this.#drop(link, 'malformed');
  }

  handleClosed(link: Link): void {
    if (!this.links.delete(link.key)) return;
    this.#pushes.delete(link.key);
    this.#interested.delete(link.key);
    this.upload.handleClosed(now(), link.key);
    this.#host.engineDriver?.disconnected(link);
    this.#pump();
    if (!this.links.size) {
      clearInterval(this.#lookTimer);
      this.#lookTimer = undefined;
    }
    this.#host.handleDisconnected(link);
  }

  #handleLow(link: Link): void {
    this.upload.handleBuffered(now(), link.key, link.pieces.bufferedAmount);
    this.#pump();
  }

  #begin(link: Link, push: readonly PieceId[]): void {
    this.#host.engineDriver?.engine.handleOpen(now(), link.key);
    this.#host.engineDriver?.pump();
    this.upload.handleOpen(now(), link.key, push);
    this.#pump();
  }

  /** More is held: whoever asked about it hears of it soon. */
  handleGrown(): void {
    if (this.#interested.size) this.#haveTimer ??= setTimeout(() => this.#sendHaves(), HAVE_MS);
  }

  #sendHaves(): void {
    this.#haveTimer = undefined;
    for (const [key, ids] of this.#interested) {
      const link = this.links.get(key);
      const arrived = [...ids].filter((id) => this.#host.pieceStore.has(id)).slice(0, QUERY_IDS_MAX);
      if (link && arrived.length) this.#sendHave(link, arrived);
    }
  }

  /** Says which of these are held, and remembers the others. */
  #sendHave(link: Link, ids: readonly PieceId[]): void {
    const interested = this.#interested.get(link.key) ?? new Set();
    const held = ids.filter((id) => this.#host.pieceStore.has(id));
    for (const id of held) interested.delete(id);
    for (const id of ids) if (!this.#host.pieceStore.has(id) && interested.size < INTERESTED_IDS_MAX) interested.add(id);
    if (interested.size) this.#interested.set(link.key, interested);
    else this.#interested.delete(link.key);
    sendFrame(link, { kind: 'have', ids: held });
  }

  #sendManifest(link: Link, { digest, bytes }: PageManifest): void {
    for (let offset = 0; offset < bytes.length; offset += MANIFEST_PART_LEN_MAX) {
      const body = bytes.subarray(offset, offset + MANIFEST_PART_LEN_MAX);
      sendServing(link, { kind: 'manifest-part', manifest: digest, offset, total: bytes.length, body });
    }
  }

  /** Does what the upload engine wants done. */
  #pump(): void {
    for (let output = this.upload.poll(); output; output = this.upload.poll()) {
      const link = this.links.get(output.peer);
      if (!link) continue;
      if (output.kind === 'drop') this.#drop(link, output.fault);
      else if (output.kind === 'send') void this.#send(link, output.id);
      else sendServing(link, output);
    }
    clearTimeout(this.#uploadTimer);
    const at = this.upload.pollTimeout();
    if (at === null) return;
    this.#uploadTimer = setTimeout(() => {
      this.upload.handleTimeout(now());
      this.#pump();
    }, at - now() + 1);
  }

  async #send(link: Link, id: PieceId): Promise<void> {
    const encoded = await this.#host.pieceStore.read(id);
    if (encoded && sendServing(link, { kind: 'piece', id, encoding: encoded.encoding, body: encoded.body })) {
      this.#host.totals.bytes.bytes_to_peers += encoded.len;
      this.upload.handleBuffered(now(), link.key, link.pieces.bufferedAmount);
      this.upload.handleSent(now(), link.key, id, encoded.body.length);
      this.#host.grew();
    } else this.upload.handleMissing(now(), link.key, id);
    this.#pump();
  }

  #drop(link: Link, fault: Fault): void {
    closeLink(link, 2);
    this.#dropped(link, fault);
  }

  #dropped(link: Link, fault: Fault): void {
    this.#host.handleFault(link, fault);
    this.handleClosed(link);
  }

  /** Closes connections that nobody used for a while, and those that never opened. */
  #lookOver(): void {
    for (const link of this.links.values()) {
      if (now() < (link.opened ? link.usedAt + IDLE_MS : link.startedAt + DIAL_GIVEN_UP_MS)) continue;
      closeLink(link, 3);
      this.handleClosed(link);
    }
  }
}

/** Sends what only a seeder sends; false if the connection cannot take it. */
const sendServing = (link: Link, frame: ServingFrame): boolean =>
  sendOn(link, frame.kind === 'refuse' ? link.control : link.pieces, encodeFrame(frame));
