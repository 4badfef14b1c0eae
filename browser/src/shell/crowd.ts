/** One of a crowd: a session at the tracker before the app is there, leases of the origin's pieces, and everything that came passed on at once. */

import type { PieceId } from '../core/digest';
import { newOriginLease } from '../core/fetch/originlease';
import type { Frame } from '../core/frame';
import type { PeerToTracker } from '../core/generated/PeerToTracker';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';
import { SLOTS } from '../core/generated/uploadPolicy';
import { distinctPieces, pieceIdOf } from '../core/manifest';
import { offReason } from '../core/role';
import { Leases } from '../core/session/leases';
import type { LeaseOutput } from '../core/session/leases';
import { Report } from '../core/session/report';
import { now } from './clock';
import { readEvidence } from './evidence';
import type { CrowdStart } from './join';
import { sendFrame } from './link';
import type { Link, LinkHandler } from './link';
import type { PageManifest } from './pagemanifest';
import { PieceStore } from './piecestore';
import { Seeder } from './seeder';
import type { CrowdPart } from './seeder';

/** Begins to share what the loader fetches. */
export async function share(start: CrowdStart): Promise<void> {
  const crowd = new Crowd(start, offReason(await readEvidence()) ? 0 : SLOTS);
  crowd.begin();
}

class Crowd implements CrowdPart {
  readonly manifest: string;
  readonly slots: number;
  readonly #start: CrowdStart;
  readonly #seeder: Seeder;
  readonly #leases: Leases;
  /** Connections whose other ends wait for the manifest; there is a limit of connections. */
  readonly #waiting = new Map<Link, LinkHandler>();
  /** The distinct pieces of the manifest; none while it is not here. */
  #ids: PieceId[] = [];
  #live = false;
  /** Nobody looks at the page: it may stand still any moment, so that nobody is to wait for what it was granted. */
  #away = false;
  #resolve: (page: PageManifest) => void = () => undefined;
  readonly #known = new Promise<PageManifest>((resolve) => (this.#resolve = resolve));

  constructor(start: CrowdStart, slots: number) {
    const { boot, engineDriver, totals, session } = start;
    this.#start = start;
    this.manifest = boot.manifest;
    this.slots = slots;
    this.#leases = new Leases(true, !boot.offers.length, !!boot.first);
    session.report = new Report(totals, true);
    const nothing = (): void => undefined;
    session.seeder = this.#seeder = new Seeder(
      {
        page: boot.page,
        report: session.report,
        totals,
        pieceStore: new PieceStore(engineDriver),
        handover: { boot, engineDriver },
        hold: async (digest) => (digest === boot.manifest ? this.#known : null),
        welcomed: nothing,
        handleUsed: nothing,
        changed: nothing,
        handleDropped: () => this.#seeder.stop(1),
      },
      this,
    );
  }

  /** Takes over what the loader tells of its engine, and connects. */
  begin(): void {
    const { tell } = this.#start.engineDriver;
    tell.share = (done) => {
      this.#leases.handleWanted(this.manifest, done, this.#live && !this.#away);
      this.#pump();
    };
    // Until the app is there, whose page sees to it from then on.
    const look = (): void => this.handleAway(document.visibilityState === 'hidden');
    document.addEventListener('visibilitychange', look);
    tell.grew = (id) => {
      if (id) this.#seeder.handleKept(id);
      else this.#seeder.handleChange();
    };
    tell.begins = () => this.#handleManifest();
    // It may have begun while this script came.
    this.#handleManifest();
    for (const link of this.#start.engineDriver.links) if (link.opened) this.#tellBeyond(link);
    this.#seeder.start(null);
  }

  /** The engine learns who is behind another line, once it knows the peer. */
  #tellBeyond({ key, beyond }: Link): void {
    if (beyond) this.#start.engineDriver.engine.handleBeyond(now(), key, beyond);
  }

  asks(): PeerToTracker[] {
    return this.#leases.isAsked() ? [{ kind: 'share', manifest: this.manifest, done: 0 }] : [];
  }

  handleWelcome(): void {
    this.#live = true;
    this.#setOut();
    if (!this.#away) this.#leases.handleWelcome();
    this.#pump();
  }

  handleAway(away: boolean): void {
    if (away === this.#away) return;
    this.#away = away;
    if (!this.#live || !this.#ids.length) return;
    if (away) {
      this.#seeder.tracker.send({ kind: 'unshare' });
      // Whatever was asked for is asked for again.
      this.#leases.handleLost();
    } else this.#leases.handleWelcome();
    this.#pump();
  }

  handleLost(): void {
    this.#live = false;
    this.#leases.handleLost();
    this.handleFewer();
  }

  handleShare({ pieces }: Extract<TrackerToPeer, { kind: 'share' }>): void {
    if (this.#ids.length) this.#leases.handleGiven(this.manifest, pieces);
    else if (this.#leases.handleEarly(pieces)) this.handleFewer();
    this.#pump();
  }

  handleFewer(): void {
    if (!this.#start.got.bytes && this.#seeder.peers.isEmpty()) this.#leases.handleAlone(this.manifest, this.#live);
    this.#pump();
  }

  handlerOf(peers: LinkHandler): LinkHandler {
    const { got, handlerOf } = this.#start;
    const { manifest } = this;
    const before = handlerOf();
    return {
      handleOpen: (link) => {
        peers.handleOpen(link);
        this.#tellBeyond(link);
        if (!got.bytes) sendFrame(link, { kind: 'want-manifest', manifest });
      },
      handleFrame: (link: Link, frame: Frame) => {
        if (frame.kind === 'manifest-part' || (frame.kind === 'piece' && !got.manifest)) before.handleFrame(link, frame);
        else if (frame.kind === 'want-manifest' && frame.manifest === manifest && !this.#ids.length) this.#waiting.set(link, peers);
        else peers.handleFrame(link, frame);
      },
      handleMalformed: (link) => peers.handleMalformed(link),
      handleClosed: (link) => {
        this.#waiting.delete(link);
        peers.handleClosed(link);
      },
    };
  }

  /** The manifest is here, if it is: others have it from now on, and leases can be taken. */
  #handleManifest(): void {
    const { manifest: digest } = this;
    const { bytes, manifest } = this.#start.got;
    if (!manifest || !bytes) return;
    const pieces = distinctPieces(manifest);
    this.#ids = pieces.map((piece) => pieceIdOf(piece.digest));
    this.#setOut();
    const page: PageManifest = { digest, bytes, manifest, pieces, held: { pieces: 0, bytes: 0 } };
    this.#seeder.know(page);
    this.#resolve(page);
    for (const [link, peers] of this.#waiting) peers.handleFrame(link, { kind: 'want-manifest', manifest: digest });
    this.#waiting.clear();
  }

  /** Tells the engine whether it is one of a crowd. Not before there are pieces, or the wait for the manifest would count as a crowd that gives nothing. */
  #setOut(): void {
    const { engine, pump } = this.#start.engineDriver;
    if (this.#ids.length) engine.handleCrowd(now(), this.#leases.isLeasing(this.#live) ? newOriginLease : null);
    pump();
  }

  #pump(): void {
    const { askManifest, engineDriver } = this.#start;
    const { manifest } = this;
    for (let output: LeaseOutput | null; (output = this.#leases.poll()); ) {
      if (output.kind === 'ask-manifest') askManifest();
      else if (output.kind === 'take') engineDriver.engine.handleLease(now(), output.places.flatMap((at) => this.#ids[at] ?? []));
      else if (!this.#seeder.tracker.send({ kind: 'share', manifest, done: output.done })) this.#leases.handleUnsent();
    }
    engineDriver.pump();
  }
}
