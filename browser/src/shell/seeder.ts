/** A seeding page: what it tells the tracker, what the tracker tells it, and the connections that come of it. */

import { sdpFromCompact } from '../core/description';
import type { Digest, PieceId } from '../core/digest';
import type { ConnectFailure } from '../core/generated/ConnectFailure';
import type { Fault } from '../core/generated/Fault';
import type { PeerKey } from '../core/fetch/types';
import type { Offer } from '../core/generated/Offer';
import type { PeerToTracker } from '../core/generated/PeerToTracker';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';
import { MANIFESTS_MAX, WITHHELD_MAX } from '../core/generated/sessionPolicy';
import { SLOTS } from '../core/generated/uploadPolicy';
import { OFFERS_PER_LEECHER_MAX } from '../core/limits';
import { Newest } from '../core/newest';
import type { Report } from '../core/session/report';
import { Search } from '../core/session/search';
import { alarm, now } from './clock';
import { FOLLOW_MS } from './limits';
import { closeLink, newLink } from './link';
import type { Link, LinkHandler } from './link';
import { Offers } from './offers';
import type { PageManifest } from './pagemanifest';
import { Peers } from './peers';
import type { PeersHost, PeersOwner } from './peers';
import { TrackerClient } from './trackerclient';
import type { TrackerHost } from './trackerclient';

/** Names the next connection: never one that the engine, which outlives a session, knows already. The loader numbered its own below this. */
let nextKey: PeerKey = OFFERS_PER_LEECHER_MAX;

/** What only one of a crowd does, who gives while it still takes. */
export interface CrowdPart {
  /** What is fetched, known or not yet. */
  readonly manifest: Digest;
  /** How many it serves at once. */
  readonly slots: number;
  /** What the first messages of a session say besides. */
  asks(): PeerToTracker[];
  handleWelcome(): void;
  handleLost(): void;
  /** The tracker grants a lease. */
  handleShare(signal: Extract<TrackerToPeer, { kind: 'share' }>): void;
  /** There may be nobody left to wait for. */
  handleFewer(): void;
  /** Nobody looks at the page, or somebody does again. */
  handleAway(away: boolean): void;
  /** Who hears of a connection before `peers`. */
  handlerOf(peers: LinkHandler): LinkHandler;
}

/** What the seeder needs from the page around it. */
export interface SeederHost extends PeersHost {
  readonly page: string;
  readonly report: Report;
  /** Gets a manifest and holds what of it is here; null if that failed. */
  hold(manifest: Digest): Promise<PageManifest | null>;
  /** A session began: time for reports. */
  welcomed(): void;
  /** What the server sent to this visit and the page did not name. */
  handleUsed(paths: readonly string[]): void;
  /** Something changed that the page may show. */
  changed(): void;
  /** The tracker ended the session for good. */
  handleDropped(reason: string): void;
}

/** One seeding session; `stop` ends it for good. */
export class Seeder implements PeersOwner, TrackerHost {
  readonly peers: Peers;
  /** The page's manifest now, and what of it is held. */
  current: PageManifest | null = null;
  /** Our own number at the tracker. */
  number: number | null = null;
  /** Whether offers lie with the tracker. */
  ready = false;
  /** The page, or before it is there the visit. */
  host: SeederHost;
  readonly #crowd: CrowdPart | undefined;
  readonly manifests = new Map<Digest, PageManifest>();
  readonly #offers = new Offers();
  readonly tracker = new TrackerClient(this);
  /** A new manifest may be named while the last one is fetched; whichever came last is the page's. */
  readonly #named = new Newest<Digest>((digest) => this.#follow(digest));
  #nextOffer = 1;
  /** Offers that the tracker wants and did not get yet. */
  #offersWanted = 0;
  /** Where the server says how it sees us. */
  #stun: readonly number[] | undefined;
  /** What waits for the tracker's word that answers left, by the number that their message bore. */
  readonly #telling: (() => void)[] = [];
  #told = 0;
  readonly #search = new Search();
  readonly #sleep = alarm(() => this.#handleTimeout());
  #followTimer: ReturnType<typeof setTimeout> | undefined;
  #followMs = FOLLOW_MS;
  #stopped = false;
  /** A join ticket was refused since the last welcome. */
  #renewed = false;

  constructor(host: SeederHost, crowd?: CrowdPart) {
    this.host = host;
    this.#crowd = crowd;
    this.peers = new Peers(this);
  }

  handlerOf(peers: LinkHandler): LinkHandler {
    return this.#crowd?.handlerOf(peers) ?? peers;
  }

  /** Connects. `known` is the manifest this page came from, if it came from peers. */
  start(known: PageManifest | null): void {
    if (known) this.#remember(known);
    // Of the visit. There are gaps when this is not the first session of the page.
    this.host.handover?.engineDriver.links.forEach((link) => link.closed || this.peers.add(link));
    this.tracker.open();
  }

  /** Nobody looks at the page, or somebody does again. */
  handleAway(away: boolean): void {
    this.#crowd?.handleAway(away);
  }

  /** The page's manifest, and what of it is held. */
  know(page: PageManifest): void {
    this.#remember(page);
    this.#report();
  }

  /** Ends every connection and the session. */
  stop(reason: 1 | 4): void {
    this.#report();
    this.#stopped = true;
    this.handleLost();
    this.peers.stop(reason);
    this.tracker.close();
    this.#sleep();
    clearTimeout(this.#followTimer);
  }

  /** A piece is held now: peers that asked hear of it soon, and so does the tracker. */
  handleKept(id: PieceId): void {
    this.peers.handleKept(id);
    this.grew();
  }

  /** Something changed for the download: a connection, a session, all of it is here or nobody is there to give it. */
  handleChange(): void {
    this.#search.handleChange(now(), this.peers.met(), this.#misses());
    this.#report();
  }

  /** Tells the tracker of a peer's fault. */
  handleFault(peer: number, fault: Fault): void {
    this.tracker.send({ kind: 'report', peer, fault });
  }

  /** Something grew: the page hears of it now and the tracker soon. */
  grew(): void {
    this.host.changed();
    this.host.report.handleGrowth(now(), this.host.handover?.engineDriver.engine.progress());
    this.#pump();
  }

  /** The first messages of each session. */
  register(): PeerToTracker[] {
    const { page, handover } = this.host;
    const crowd = this.#crowd;
    const manifest = this.current?.digest ?? crowd?.manifest ?? null;
    return [{ kind: 'register', page, manifest, ticket: handover?.boot.ticket ?? null, slots: crowd?.slots ?? SLOTS }, ...(crowd?.asks() ?? [])];
  }

  async handleSignal(signal: TrackerToPeer): Promise<void> {
    switch (signal.kind) {
      case 'welcome':
        this.#renewed = false;
        this.number = signal.peer;
        this.#offersWanted = signal.offers_wanted;
        this.#stun = signal.stun;
        this.peers.limit(signal);
        this.host.welcomed();
        this.host.report.handleWelcome();
        this.#crowd?.handleWelcome();
        return this.handleChange();
      case 'limits':
        return this.peers.limit(signal);
      case 'manifest':
        return this.#named.put(signal.manifest);
      case 'answer':
        return this.#handleAnswer(signal);
      case 'relayed':
        return this.#telling[signal.tell]?.();
      case 'peers':
        this.#dial(signal.offers);
        return this.#crowd?.handleFewer();
      case 'share':
        return this.#crowd?.handleShare(signal);
      case 'used':
        return this.host.handleUsed(signal.assets);
      case 'offers_wanted':
        this.#offersWanted += signal.count;
        return this.#makeOffers();
      case 'error':
        if (signal.code !== 'ticket') return;
        // The answer to a page brings another ticket. If that is refused, too, the next one is asked for as after any loss.
        await fetch(this.host.page, { method: 'HEAD' }).catch(() => undefined);
        if (!this.#renewed) this.tracker.retry();
        this.#renewed = true;
        return;
      case 'dropped':
        return this.host.handleDropped(signal.reason);
    }
  }

  /** Gets the page's manifest, tries again later if that fails, and tells what of it is held. */
  async #follow(digest: Digest): Promise<void> {
    clearTimeout(this.#followTimer);
    const page = await this.host.hold(digest);
    if (page) {
      this.#followMs = FOLLOW_MS;
      this.#remember(page);
      this.#report();
    } else if (!this.#named.outdated && !this.#stopped) {
      this.#followTimer = setTimeout(() => void this.#named.put(digest), this.#followMs);
      this.#followMs *= 2;
    }
  }

  /** Tells the tracker what is held and what grew, and leaves offers once there is something to give. */
  #report(): void {
    // Without a session nothing can be sent, and so nothing counts as told.
    this.host.report.handleReport(true, () => {
      const crowd = this.#crowd;
      const { current } = this;
      if (current) return { manifest: current.digest, ...(current.held = this.host.pieceStore.count(current.pieces)) };
      // One of a crowd gives what it has not got yet: it will have it soon.
      return crowd ? { manifest: crowd.manifest, pieces: 0, bytes: 0 } : null;
    });
    this.host.changed();
    this.#pump();
    void this.#makeOffers();
  }

  /** Whether anything is missing that peers may have. */
  #misses(): boolean {
    const { handover } = this.host;
    return !!handover && !handover.engineDriver.engine.progress().done;
  }

  #handleTimeout(): void {
    this.#search.handleTimeout(now(), this.peers.met(), this.#misses());
    if ((this.host.report.pollTimeout() ?? Infinity) <= now()) this.#report();
    else this.#pump();
  }

  /** Says what is to be said, then sleeps until something is due. */
  #pump(): void {
    const { report, handover } = this.host;
    if (this.#stopped) return;
    for (let signal: PeerToTracker | null; (signal = report.poll()); ) if (!this.tracker.send(signal)) report.handleUnsent(signal);
    const find = this.#search.poll();
    if (find) this.tracker.send({ ...find, manifest: handover?.boot.manifest ?? null });
    this.#sleep(report.pollTimeout(), this.#search.pollTimeout());
  }

  /** A page keeps few manifests: its own of this and of earlier deploys. */
  #remember(page: PageManifest): void {
    this.current = page;
    this.host.pieceStore.describe(page.manifest);
    this.manifests.delete(page.digest);
    this.manifests.set(page.digest, page);
    for (const oldest of this.manifests.keys()) if (this.manifests.size > MANIFESTS_MAX) this.manifests.delete(oldest);
  }

  /** Leaves as many offers as the tracker wants, once there is something to give. */
  async #makeOffers(): Promise<void> {
    const length = Math.min(this.#offersWanted, this.peers.room());
    if (!length || this.peers.isSpent() || !(this.#crowd?.slots ?? this.current?.held.pieces)) return;
    this.#offersWanted = 0;
    const offers = await this.#offers.make(Array.from({ length }, () => newLink(nextKey++, 0, this.#nextOffer++, this.#stun)));
    // Firefox asks once and then leaves its idle offers alone (PLATFORM section 2); a NAT forgets them.
    if (this.#stun) this.tracker.send({ kind: 'nat', nat: this.#offers.nat.kind, fades: navigator.userAgent.includes('Firefox') });
    if (offers.length) this.ready = this.tracker.send({ kind: 'offers', offers });
    this.host.changed();
  }

  async #handleAnswer({ offer, peer, beyond, description, push }: Extract<TrackerToPeer, { kind: 'answer' }>): Promise<void> {
    const link = this.#offers.take(offer);
    if (!link) return;
    Object.assign(link, { peer, startedAt: now(), beyond });
    this.peers.add(link, push);
    try {
      await link.pc.setRemoteDescription({ type: 'answer', sdp: sdpFromCompact(description) });
    } catch {
      closeLink(link);
      this.peers.handleClosed(link);
    }
  }

  #dial(offers: readonly Offer[]): void {
    const engineDriver = this.host.handover?.engineDriver;
    const room = engineDriver ? offers.slice(0, this.peers.room()) : [];
    const links = room.map(({ peer, offer, far, beyond }) => newLink(nextKey++, peer, offer, far && this.#stun, beyond));
    for (const link of links) this.peers.add(link);
    void engineDriver?.answersTo(room, links, (group, answers) => {
      for (const link of group) if (link.closed) this.peers.handleClosed(link);
      const waits = group.some(({ later }) => later.length);
      const tell = waits ? (this.#told = (this.#told + 1) % WITHHELD_MAX) : -1;
      const isSent = answers.length && this.tracker.send({ kind: 'answers', answers, ...(waits && { tell }) });
      return isSent && waits && new Promise<void>((left) => (this.#telling[tell] = left));
    });
  }

  handleOpened(link: Link): void {
    this.tracker.send({ kind: 'opened', peer: link.peer, offer: link.offer, ms: now() - link.startedAt });
    this.host.changed();
  }

  handleDisconnected(link: Link): void {
    this.tracker.send({ kind: 'closed', peer: link.peer, offer: link.offer, ...failureOf(link) });
    this.handleChange();
    this.#crowd?.handleFewer();
  }

  /** Offers made to a tracker that is gone cannot be answered; connections go on without it. */
  handleLost(): void {
    this.ready = false;
    this.#offersWanted = 0;
    this.#offers.clear();
    this.#telling.splice(0).forEach((left) => left());
    this.#crowd?.handleLost();
    this.host.changed();
  }
}

/** Why a connection never opened. */
function failureOf({ opened, reached, sdp }: Link): { cause?: ConnectFailure } {
  if (opened) return {};
  return { cause: reached === 'connected' ? 'no_channel' : sdp?.includes('a=candidate') ? 'no_path' : 'no_candidate' };
}
