/** A seeding page: what it tells the tracker, what the tracker tells it, and the connections that come of it. */

import { countsOf, growth, noTotals } from '../core/counts';
import type { Totals } from '../core/counts';
import { sdpFromCompact } from '../core/description';
import type { Digest } from '../core/digest';
import type { Counts } from '../core/generated/Counts';
import type { Fault } from '../core/generated/Fault';
import type { FaultReport } from '../core/generated/FaultReport';
import type { VisitPost } from '../core/generated/VisitPost';
import type { PeerKey } from '../core/fetch/types';
import type { Offer } from '../core/generated/Offer';
import type { PeerToTracker } from '../core/generated/PeerToTracker';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';
import { MANIFESTS_MAX } from '../core/generated/sessionPolicy';
import { SLOTS } from '../core/generated/uploadPolicy';
import { OFFERS_PER_LEECHER_MAX, SOURCES_MAX } from '../core/limits';
import { Newest } from '../core/newest';
import { now } from './clock';
import type { PieceStore } from './piecestore';
import { COUNTS_MS, FOLLOW_MS, HELD_MS, LINKS_MAX, SEEK_COUNT, SEEK_MS } from './limits';
import { closeLink, newLink } from './link';
import type { Link } from './link';
import { Offers } from './offers';
import type { PageManifest } from './pagemanifest';
import { Peers } from './peers';
import type { EngineDriver } from './handover';
import { TrackerClient } from './trackerclient';

/** What the tracker was told of this page so far. */
let reported = countsOf(noTotals());

/** Names the next connection: never one that the engine, which outlives a session, knows already. The loader numbered its own below this. */
let nextKey: PeerKey = OFFERS_PER_LEECHER_MAX;

/** The tracker knows these already: from the loader's beacon, before a reload. */
export function alreadyReported(counts: Counts): void {
  reported = counts;
}

/** Tells by a beacon what grew, for a page without a session; `faults` are those not told yet. */
export function reportByBeacon(ticket: string, totals: Totals, faults: readonly FaultReport[]): void {
  const counts = countsOf(totals);
  const grown = growth(reported, counts, SOURCES_MAX);
  if (!grown && !faults.length) return;
  reported = counts;
  navigator.sendBeacon('/.viral/visit', JSON.stringify({ ticket, counts: grown ?? countsOf(noTotals()), faults: [...faults] } satisfies VisitPost));
}

/** What the seeder needs from the page around it. */
export interface SeederHost {
  readonly page: string;
  readonly ticket: string | null;
  readonly pieceStore: PieceStore;
  readonly totals: Totals;
  readonly engineDriver: EngineDriver | undefined;
  /** Gets a manifest and holds what of it is here; null if that failed. */
  hold(manifest: Digest): Promise<PageManifest | null>;
  /** The manifest that the visit's engine fetches. */
  readonly sought: Digest | undefined;
  /** A session began: time for reports. */
  welcomed(): void;
  /** What the server sent to this visit and the page did not name. */
  used(paths: readonly string[]): void;
  /** Something changed that the page may show. */
  changed(): void;
  /** The tracker ended the session for good. */
  dropped(reason: string): void;
}

/** One seeding session; `stop` ends it for good. */
export class Seeder {
  readonly peers: Peers;
  /** The page's manifest now, and what of it is held. */
  current: PageManifest | null = null;
  /** Our own number at the tracker. */
  number: number | null = null;
  /** Whether offers lie with the tracker. */
  ready = false;
  readonly #host: SeederHost;
  readonly #manifests = new Map<Digest, PageManifest>();
  readonly #offers = new Offers();
  readonly #tracker: TrackerClient;
  /** A new manifest may be named while the last one is fetched; whichever came last is the page's. */
  readonly #named = new Newest<Digest>((digest) => this.#follow(digest));
  #nextOffer = 1;
  /** Whether something is held, so that offers are made when the tracker wants some. */
  #offering = false;
  #offersWanted = 0;
  #countsTimer: ReturnType<typeof setTimeout> | undefined;
  #heldTimer: ReturnType<typeof setTimeout> | undefined;
  #seekTimer: ReturnType<typeof setTimeout> | undefined;
  #followTimer: ReturnType<typeof setTimeout> | undefined;
  #followMs = FOLLOW_MS;
  #stopped = false;

  constructor(host: SeederHost) {
    this.#host = host;
    this.peers = new Peers({
      pieceStore: host.pieceStore,
      manifests: this.#manifests,
      totals: host.totals,
      engineDriver: host.engineDriver,
      sought: host.sought,
      handleOpened: (link) => this.#handleOpened(link),
      handleDisconnected: (link) => this.#handleDisconnected(link),
      handleFault: (link, fault) => this.report(link.peer, fault),
      grew: () => this.grew(),
    });
    this.#tracker = new TrackerClient({
      register: () => ({ kind: 'register', page: host.page, manifest: this.current?.digest ?? null, ticket: host.ticket, slots: SLOTS }),
      handleSignal: (signal) => void this.#handleSignal(signal),
      handleLost: () => this.#handleLost(),
    });
  }

  /** Connects. `known` is the manifest this page came from, if it came from peers; `links` the connections it came over. */
  start(known: PageManifest | null, links: readonly Link[]): void {
    if (known) this.#remember(known);
    // There are gaps when this is not the first session of the page.
    links.forEach((link) => link.closed || this.peers.add(link, null));
    this.#tracker.open();
  }

  /** Something said that the network may be back. */
  retry(): void {
    this.#tracker.retry();
  }

  /** Ends every connection and the session. */
  stop(reason: 1 | 4): void {
    this.reportCounts();
    this.#stopped = true;
    this.ready = this.#offering = false;
    this.#offers.clear();
    this.peers.stop(reason);
    this.#tracker.close();
    clearTimeout(this.#heldTimer);
    clearTimeout(this.#seekTimer);
    clearTimeout(this.#followTimer);
  }

  /** More of the manifest is held: peers that asked hear of it now, and the tracker soon. */
  handleGrown(): void {
    this.peers.handleGrown();
    this.#heldTimer ??= setTimeout(() => {
      this.#heldTimer = undefined;
      if (this.current) void this.#reportHeld(this.current);
    }, HELD_MS);
  }

  /** Something is missing and nobody is there to give it: others are looked for. */
  seek(): void {
    const { engineDriver } = this.#host;
    if (!engineDriver || engineDriver.engine.progress().done || this.peers.links.size) return;
    this.#seekTimer ??= setTimeout(() => {
      this.#seekTimer = undefined;
      if (!this.peers.links.size) this.send({ kind: 'find', manifest: this.#host.sought ?? null, count: SEEK_COUNT });
    }, SEEK_MS);
  }

  /** Sends a signal, if there is a session. */
  send(signal: PeerToTracker): boolean {
    return this.#tracker.send(signal);
  }

  /** Tells the tracker of a peer's fault. */
  report(peer: number, fault: Fault): void {
    this.#tracker.send({ kind: 'report', peer, fault });
  }

  /** Something grew: the page hears of it now and the tracker soon. */
  grew(): void {
    this.#host.changed();
    this.#countsTimer ??= setTimeout(() => this.reportCounts(), COUNTS_MS);
  }

  /** Tells the tracker what grew since the last time. */
  reportCounts(): void {
    clearTimeout(this.#countsTimer);
    this.#countsTimer = undefined;
    const counts = countsOf(this.#host.totals);
    const grown = growth(reported, counts, SOURCES_MAX);
    if (grown && this.#tracker.send({ kind: 'counts', ...grown })) reported = counts;
  }

  async #handleSignal(signal: TrackerToPeer): Promise<void> {
    switch (signal.kind) {
      case 'welcome':
        this.number = signal.peer;
        this.#offersWanted = signal.offers_wanted;
        this.peers.limit(signal.slots, signal.up_bytes_per_s);
        this.#host.welcomed();
        this.reportCounts();
        return;
      case 'manifest':
        return this.#named.put(signal.manifest);
      case 'answer':
        return this.#handleAnswer(signal);
      case 'peers':
        return this.#dial(signal.offers);
      case 'used':
        return this.#host.used(signal.assets);
      case 'offers_wanted':
        return this.#offering ? this.#makeOffers(signal.count) : undefined;
      case 'dropped':
        return this.#host.dropped(signal.reason);
      case 'share':
      case 'error':
        // A page asks for no lease: a thin visit came to seeders.
        return;
    }
  }

  /** Gets the page's manifest, tries again later if that fails, and tells what of it is held. */
  async #follow(digest: Digest): Promise<void> {
    clearTimeout(this.#followTimer);
    const page = await this.#host.hold(digest);
    if (page) {
      this.#followMs = FOLLOW_MS;
      this.#remember(page);
      await this.#reportHeld(page);
    } else if (!this.#named.outdated && !this.#stopped) {
      this.#followTimer = setTimeout(() => void this.#named.put(digest), this.#followMs);
      this.#followMs *= 2;
    }
  }

  /** Tells the tracker what is held, and leaves offers once that is something. */
  async #reportHeld(page: PageManifest): Promise<void> {
    page.held = this.#host.pieceStore.count(page.pieces);
    // The session may have ended meanwhile; the next one begins with the manifest again.
    if (!this.send({ kind: 'held', manifest: page.digest, ...page.held })) return;
    if (!this.#offering && page.held.pieces) {
      this.#offering = true;
      await this.#makeOffers(this.#offersWanted);
      this.ready = this.#offering;
    }
    this.#host.changed();
  }

  /** A page keeps few manifests: its own of this and of earlier deploys. */
  #remember(page: PageManifest): void {
    this.current = page;
    this.#manifests.delete(page.digest);
    this.#manifests.set(page.digest, page);
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifests.size <= MANIFESTS_MAX) break;
      this.#manifests.delete(oldest);
    }
  }

  async #makeOffers(count: number): Promise<void> {
    const room = Math.max(0, Math.min(count, LINKS_MAX - this.peers.links.size));
    const links = Array.from({ length: room }, () => this.#newLink(0, this.#nextOffer++));
    const offers = await this.#offers.make(links);
    if (offers.length) this.send({ kind: 'offers', offers });
  }

  async #handleAnswer({ offer, peer, description, push }: Extract<TrackerToPeer, { kind: 'answer' }>): Promise<void> {
    const link = this.#offers.take(offer);
    if (!link) return;
    link.peer = peer;
    link.startedAt = now();
    this.peers.add(link, push);
    try {
      await link.pc.setRemoteDescription({ type: 'answer', sdp: sdpFromCompact(description) });
    } catch {
      closeLink(link);
      this.peers.handleClosed(link);
    }
  }

  async #dial(offers: readonly Offer[]): Promise<void> {
    const { engineDriver } = this.#host;
    const room = engineDriver ? offers.slice(0, Math.max(0, LINKS_MAX - this.peers.links.size)) : [];
    const links = room.map(({ peer, offer }) => this.#newLink(peer, offer));
    for (const link of links) this.peers.add(link, null);
    const answers = await engineDriver?.answersTo(room, links);
    if (answers?.length) this.send({ kind: 'answers', answers });
    for (const link of links) if (link.closed) this.peers.handleClosed(link);
  }

  #newLink(peer: number, offer: number): Link {
    return newLink(nextKey++, peer, offer);
  }

  #handleOpened(link: Link): void {
    this.send({ kind: 'opened', peer: link.peer, offer: link.offer, ms: now() - link.startedAt });
    this.#host.changed();
  }

  #handleDisconnected(link: Link): void {
    this.send({ kind: 'closed', peer: link.peer, offer: link.offer });
    this.seek();
    this.reportCounts();
    this.#host.changed();
  }

  /** Offers made to a tracker that is gone cannot be answered; connections go on without it. */
  #handleLost(): void {
    this.ready = this.#offering = false;
    this.#offers.clear();
    this.#host.changed();
  }
}
