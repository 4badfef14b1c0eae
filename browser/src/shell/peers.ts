/** The connections of a seeding page, and what goes over them. What it fetches itself is the business of the loader's engine, if there is one. */

import type { Totals } from '../core/counts';
import type { Digest, PieceId } from '../core/digest';
import type { PeerKey } from '../core/fetch/types';
import { encodeServing } from '../core/frame';
import type { Frame, ServingFrame } from '../core/frame';
import type { Fault } from '../core/generated/Fault';
import type { Push } from '../core/generated/Push';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';
import { BUFFER_LEN_LOW } from '../core/generated/uploadPolicy';
import { HELLO_MANIFESTS_MAX, MANIFEST_PART_LEN_MAX } from '../core/limits';
import { planned } from '../core/push';
import { Announce } from '../core/session/announce';
import type { AnnounceOutput } from '../core/session/announce';
import { endsAt, handleControl, met } from '../core/session/peers';
import type { Met } from '../core/session/search';
import { Upload } from '../core/upload';
import type { UploadOutput } from '../core/upload';
import { alarm, now } from './clock';
import type { PieceStore } from './piecestore';
import { LINKS_MAX } from './limits';
import { closeLink, sendFrame, sendOn } from './link';
import type { Link, LinkHandler } from './link';
import { isComplete } from './pagemanifest';
import type { PageManifest } from './pagemanifest';
import type { EngineDriver, Handover } from './handover';

/** What the connections need from the page around them. */
export interface PeersHost {
  readonly pieceStore: PieceStore;
  readonly totals: Totals;
  /** Of a thin visit: its engine, and what that fetches. */
  readonly handover: Pick<Handover, 'boot' | 'engineDriver'> | undefined;
}

/** Who hears of the connections, and knows what they may be given. */
export interface PeersOwner {
  readonly manifests: ReadonlyMap<Digest, PageManifest>;
  /** Who has what the connections need: the page, or before it is there the visit. */
  readonly host: PeersHost;
  /** Who hears of a connection first, in a crowd. */
  handlerOf(peers: LinkHandler): LinkHandler;
  handleOpened(link: Link): void;
  handleDisconnected(link: Link): void;
  handleFault(peer: number, fault: Fault): void;
  /** Bytes went one way or the other. */
  grew(): void;
}

/** All connections of this page that were dialled or answered. */
export class Peers implements LinkHandler {
  readonly #links = new Map<PeerKey, Link>();
  readonly #upload: Upload;
  readonly #engineDriver: EngineDriver | undefined;
  readonly #owner: PeersOwner;
  readonly #announce = new Announce(true);
  readonly #sleep = alarm(() => this.#handleTimeout());

  constructor(owner: PeersOwner) {
    this.#owner = owner;
    this.#upload = new Upload({ bytesGiven: owner.host.totals.bytes.bytes_to_peers });
    this.#engineDriver = owner.host.handover?.engineDriver;
    if (this.#engineDriver) this.#engineDriver.tell.fault = (link, fault) => this.#dropped(link, fault);
  }

  /** Takes over a connection, open or about to be; `push` is what to send once it opens. */
  add(link: Link, push?: Push | null): void {
    this.#links.set(link.key, link);
    link.pushPlan = push;
    if (this.#engineDriver) this.#engineDriver.links[link.key] = link;
    link.handler = this.#owner.handlerOf(this);
    link.pieces.bufferedAmountLowThreshold = BUFFER_LEN_LOW;
    link.pieces.onbufferedamountlow = () => {
      this.#upload.handleBuffered(now(), link.key, link.pieces.bufferedAmount);
      this.#pump();
    };
    if (link.opened) this.#begin(link, []);
    else this.#pump();
  }

  /** What the tracker allows now. */
  limit({ slots, up_bytes_per_s, up_bytes_per_day }: Pick<Extract<TrackerToPeer, { kind: 'limits' }>, 'slots' | 'up_bytes_per_s' | 'up_bytes_per_day'>): void {
    this.#upload.handleLimits(now(), slots, up_bytes_per_s);
    this.#upload.handleVolume(now(), up_bytes_per_day ?? 0);
    this.#pump();
  }

  /** Whether nothing more is given to anybody today. */
  isSpent(): boolean {
    return this.#upload.isSpent();
  }

  /** Ends them all. */
  stop(reason: 1 | 4): void {
    this.#sleep();
    for (const link of this.#links.values()) {
      closeLink(link, reason);
      this.#engineDriver?.disconnected(link);
    }
    this.#links.clear();
  }

  handleOpen(link: Link): void {
    const { manifests } = this.#owner;
    // At most `MANIFESTS_MAX`, fewer than a greeting may name.
    const complete = [...manifests.values()].filter(isComplete);
    sendFrame(link, { kind: 'hello', manifests: complete.map(({ digest }) => digest) });
    const { pushPlan } = link;
    const page = pushPlan && manifests.get(pushPlan.manifest);
    if (page) this.#sendManifest(link, page);
    this.#begin(link, page ? planned(pushPlan, page.pieces) : []);
    this.#owner.handleOpened(link);
  }

  handleFrame(link: Link, frame: Frame): void {
    const { pieceStore, handover } = this.#owner.host;
    const { key } = link;
    const holds = (id: PieceId): boolean => pieceStore.has(id);
    if (frame.kind === 'piece') {
      this.#announce.handleHeldBy(key, [frame.id]);
      // A peer that we dialled may push what this page holds anyway.
      if (holds(frame.id)) this.#engineDriver?.engine.accept({ kind: 'peer', peer: key }, frame.id);
      else if (this.#engineDriver) void this.#engineDriver.takePiece(frame, link);
      else this.#drop(link, 'unasked');
      return;
    }
    if (!handleControl(now(), link)) return this.#drop(link, 'malformed');
    if (frame.kind === 'have') this.#announce.handleHeldBy(key, frame.ids);
    if (this.#engineDriver?.takeControl(frame, link, frame.kind === 'hello' && frame.manifests.includes(handover?.boot.manifest ?? ''))) return;
    if (frame.kind === 'want') this.#upload.handleWant(now(), key, frame.ids, holds);
    else if (frame.kind === 'cancel') this.#upload.handleCancel(now(), key, frame.ids);
    else if (frame.kind === 'query') this.#announce.handleQuery(key, frame.ids, holds);
    else if (frame.kind === 'want-manifest') {
      // One request is 33 bytes, the answer up to 4 MiB.
      const page = this.#owner.manifests.get(frame.manifest);
      link.manifestsAsked = (link.manifestsAsked ?? 0) + 1;
      if (link.manifestsAsked > HELLO_MANIFESTS_MAX) this.#drop(link, 'malformed');
      else if (page) this.#sendManifest(link, page);
    } else if (frame.kind === 'bye') {
      closeLink(link);
      this.handleClosed(link);
    }
    this.#pump();
  }

  handleMalformed(link: Link): void {
    this.#drop(link, 'malformed');
  }

  handleClosed(link: Link): void {
    if (!this.#links.delete(link.key)) return;
    this.#announce.handleClosed(link.key);
    this.#upload.handleClosed(now(), link.key);
    this.#engineDriver?.disconnected(link);
    this.#pump();
    this.#owner.handleDisconnected(link);
  }

  #begin(link: Link, push: readonly PieceId[]): void {
    this.#engineDriver?.engine.handleOpen(now(), link.key);
    this.#engineDriver?.pump();
    this.#upload.handleOpen(now(), link.key, push);
    this.#pump();
  }

  /** A piece is held now: whoever asked about it hears of it soon. */
  handleKept(id: PieceId): void {
    this.#announce.handleKept(now(), id);
    this.#pump();
  }

  /** How many more connections there may be. */
  room(): number {
    return Math.max(0, LINKS_MAX - this.#links.size);
  }

  /** Whether there is no connection, not even one that may open. */
  isEmpty(): boolean {
    return !this.#links.size;
  }

  /** How many connections there are, for the search for more. */
  met(): Met {
    return met(now(), this.#links.values());
  }

  #sendManifest(link: Link, { digest, bytes }: PageManifest): void {
    for (let offset = 0; offset < bytes.length; offset += MANIFEST_PART_LEN_MAX) {
      const body = bytes.subarray(offset, offset + MANIFEST_PART_LEN_MAX);
      sendServing(link, { kind: 'manifest-part', manifest: digest, offset, total: bytes.length, body });
    }
  }

  #handleTimeout(): void {
    this.#upload.handleTimeout(now());
    this.#announce.handleTimeout(now());
    for (const link of this.#links.values()) {
      if (now() < endsAt(link)) continue;
      closeLink(link, 3);
      this.handleClosed(link);
    }
    this.#pump();
  }

  /** Does what the machines want done, then sleeps until something is due. */
  #pump(): void {
    for (let output: AnnounceOutput | UploadOutput | null; (output = this.#announce.poll() ?? this.#upload.poll()); ) {
      const link = this.#links.get(output.peer);
      if (!link) continue;
      if (output.kind === 'drop') this.#drop(link, output.fault);
      else if (output.kind === 'send') void this.#send(link, output.id);
      else if (output.kind === 'have') sendFrame(link, output);
      else sendServing(link, output);
    }
    this.#sleep(this.#upload.pollTimeout(), this.#announce.pollTimeout(), ...[...this.#links.values()].map(endsAt));
  }

  async #send(link: Link, id: PieceId): Promise<void> {
    const encoded = await this.#owner.host.pieceStore.read(id);
    if (encoded && sendServing(link, { kind: 'piece', id, encoding: encoded.encoding, body: encoded.body })) {
      this.#owner.host.totals.bytes.bytes_to_peers += encoded.len;
      this.#upload.handleBuffered(now(), link.key, link.pieces.bufferedAmount);
      this.#upload.handleSent(now(), link.key, id, encoded.body.length);
      this.#owner.grew();
    } else this.#upload.handleMissing(now(), link.key, id);
    this.#pump();
  }

  #drop(link: Link, fault: Fault): void {
    closeLink(link, 2);
    this.#dropped(link, fault);
  }

  #dropped(link: Link, fault: Fault): void {
    this.#owner.handleFault(link.peer, fault);
    this.handleClosed(link);
  }
}

/** Sends what only a seeder sends; false if the connection cannot take it. */
const sendServing = (link: Link, frame: ServingFrame): boolean =>
  sendOn(link, frame.kind === 'refuse' ? link.control : link.pieces, encodeServing(frame));
