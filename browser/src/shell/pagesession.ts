/** One page of a visitor: from a handover, or from nothing, to a seeder, through every turn of the page's life. */

import { isOptedOut, stateCookie } from '../core/cookie';
import { countsOf, noTotals } from '../core/counts';
import type { Totals } from '../core/counts';
import type { Digest } from '../core/digest';
import { fitting } from '../core/fitting';
import type { VisitPost } from '../core/generated/VisitPost';
import { keyOf } from '../core/intercept';
import { LOADED_ASSETS_MAX, LOADED_REPORTS_MAX } from '../core/limits';
import { distinctPieces } from '../core/manifest';
import { offReason } from '../core/role';
import { Report } from '../core/session/report';
import { assetPath, isWhole, originBytes, seededPath, usedPaths } from '../core/timing';
import { HELD } from './carrier';
import { within } from './clock';
import { readEvidence } from './evidence';
import { GUESSED, Gatherer } from './gather';
import { PieceStore } from './piecestore';

import { GATHER_WAIT_MS, REPORT_QUIET_MS, WORKER_WAIT_MS } from './limits';
import type { CrowdSession } from './join';
import { closeLink } from './link';
import { fetchManifest, fromHttpCache, holdManifest, isComplete } from './pagemanifest';
import type { PageManifest } from './pagemanifest';
import { Seeder } from './seeder';
import type { SeederHost } from './seeder';
import type { Marks, Handover } from './handover';
import { publish } from './status';
import type { Status, StatusSource } from './status';
import { CACHED, STORE, keep, keepAsset, manifestKey } from './store';
import { digestOf } from './verify';
import { askWorker, controller, isOursAlone, registerWorker, registration } from './workerclient';
import type { PageToWorker } from './workerclient';

const LOCK = 'viral-seeder';

/** The visitor in this page. */
export class PageSession implements SeederHost, StatusSource {
  reason: string | null = null;
  answer: Status['answer'];
  readonly totals: Totals;
  readonly report: Report;
  readonly marks: Marks;
  readonly handover: Handover | undefined;
  readonly pieceStore: PieceStore;
  readonly #gatherer: Gatherer;
  readonly changed: () => void;
  /** URL and path of this document as it was asked for; scripts may change the address later. */
  readonly #documentUrl: string;
  readonly page: string;
  readonly #isPersonal: boolean;
  #seeder: Seeder | null = null;
  #release: (() => void) | null = null;
  /** Manifest from which the service worker answers this page. */
  #bound: Digest | null = null;
  /** Paths that the worker answers from the store. */
  readonly #placed = new Set<string>();
  /** Whether the last visit found these in the browser's own cache: others can have them again, whether this visit asks for them or not. */
  #wasHeld = false;
  #known: PageManifest | null = null;
  #faultsReported = false;
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #reports = 0;
  /** The version of this page that is kept for the next visit. */
  #kept: Digest | null = null;
  /** What was used so far, in the order in which it was asked for. */
  readonly #used = new Set<string>();

  /** `personal`: what stands for this page if the site makes it for each visitor. Its document is never held. */
  constructor(handover: Handover | undefined, personal?: string) {
    this.handover = handover;
    this.pieceStore = new PieceStore(handover?.engineDriver, (id) => this.#seeder?.handleKept(id));
    this.#gatherer = new Gatherer(this.pieceStore, () => this.#keep());
    if (handover) this.#follow(handover);
    this.totals = handover?.totals ?? noTotals();
    const begun = handover?.session as CrowdSession | undefined;
    this.report = begun?.report ?? new Report(this.totals);
    this.#seeder = begun?.seeder ?? null;
    if (this.#seeder) this.#seeder.host = this;
    this.marks = handover?.marks ?? {};
    this.answer = handover ? 'thin' : 'full';
    // Until the observer below runs; the browser's own limit of 250 would cut what is counted and reported.
    performance.setResourceTimingBufferSize(2 * LOADED_ASSETS_MAX);
    const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    this.totals.bytes.bytes_from_origin = entry?.transferSize ?? 0;
    this.#documentUrl = (entry?.name ?? location.href).split('#', 1)[0] ?? '';
    this.page = personal ?? new URL(this.#documentUrl).pathname;
    this.#isPersonal = !!personal;
    this.changed = publish(this);
  }

  get role(): Status['role'] {
    if (this.#seeder?.ready) return 'seeder';
    return this.answer === 'thin' && !this.reason ? 'leecher' : 'off';
  }

  get peer(): number | null {
    return this.#seeder?.number ?? null;
  }

  opened(): number {
    return this.#seeder?.peers.met().opened ?? 0;
  }

  /** Learns whether this page was put in place by a reload, and counts what the origin sent so far and from now on. */
  async begin(): Promise<void> {
    const worker = controller();
    const bound = worker && (await within(WORKER_WAIT_MS, askWorker(worker, { kind: 'viral-bound' })));
    this.#bound = typeof bound === 'string' ? bound : null;
    if (this.#bound && !this.handover) {
      this.answer = 'thin';
      takeTotals(this.totals, this.report);
    }
    const placed: Pick<PageManifest, 'manifest' | 'cached'> | null = this.#bound ? (this.handover ?? (await fetchManifest(this.#bound))) : null;
    for (const { path } of placed?.manifest.assets ?? []) this.#placed.add(keyOf(path));
    this.#wasHeld = !!placed?.cached;
    if (!this.handover && !this.#isPersonal) this.#gatherer.handleUsed(this.page, this.#documentUrl, 0);
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#count(entry as PerformanceResourceTiming);
    }).observe({ type: 'resource', buffered: true });
  }

  /** Seeds from now on, if the visitor, the device and the other tabs allow it. */
  async start(): Promise<void> {
    if (this.#release || this.reason === 'opt-out') return;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#release = release;
    this.reason = offReason(await readEvidence());
    if (this.reason) {
      this.#release = null;
      return this.#stayOut();
    }
    const seed = async (): Promise<void> => {
      // While this tab waited for its turn the visitor may have opted out in another one.
      const reason = offReason(await readEvidence());
      if (this.#release !== release) return;
      this.reason = reason;
      if (reason) {
        this.#release = null;
        return this.changed();
      }
      await this.#seed();
      await released;
    };
    if (!navigator.locks) return void seed();
    const first = await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
      if (lock) await seed();
      return lock !== null;
    });
    if (first || this.#release !== release) return;
    this.reason = 'another-tab';
    this.#stayOut();
    await navigator.locks.request(LOCK, seed);
  }

  /** Closes everything; `start` begins again. */
  stop(reason: 1 | 4 = 1): void {
    // There is no time to ask the worker any more.
    if (!this.#bound) for (const path of this.#named()) this.#used.add(path);
    this.#reportUsed();
    if (this.#seeder) this.#seeder.stop(reason);
    else this.#reportVisit();
    this.#seeder = null;
    // Numbered by key, with gaps, which `for of` would not skip.
    this.handover?.engineDriver.links.forEach((link) => closeLink(link, 1));
    this.#release?.();
    this.#release = null;
    this.changed();
  }

  /** Something changed: what was allowed may not be now, and the other way round. */
  async reconsider(): Promise<void> {
    const reason = offReason(await readEvidence());
    if (!reason) {
      this.retry();
      return this.start();
    }
    this.stop();
    this.reason = reason;
    this.changed();
  }

  /** The tracker ended the session for good. */
  handleDropped(reason: string): void {
    this.stop();
    this.reason = reason;
  }

  /** Nobody looks at the page, or somebody does again. */
  handleAway(away: boolean): void {
    this.#seeder?.handleAway(away);
  }

  /** Something said that the network may be back. */
  retry(): void {
    this.#seeder?.tracker.retry();
  }

  async optOut(): Promise<void> {
    document.cookie = stateCookie('off', 31_536_000, location.protocol);
    this.stop(4);
    this.reason = 'opt-out';
    this.changed();
    await forget();
  }

  async #seed(): Promise<void> {
    const handover = this.handover;
    const begun = this.#seeder;
    const seeder = begun ?? new Seeder(this);
    this.#seeder = seeder;
    const known = this.#known ?? (handover ? { ...handover, digest: handover.boot.manifest, pieces: distinctPieces(handover.manifest), held: { pieces: 0, bytes: 0 } } : null);
    if (known) await this.#fill(known);
    if (begun && known) {
      seeder.know(known);
      this.welcomed();
    } else seeder.start(known);
    this.changed();
  }

  /** Gets the manifest, once, and looks for what of it is here. */
  async hold(digest: Digest): Promise<PageManifest | null> {
    const page = this.#known?.digest === digest ? this.#known : await fetchManifest(digest);
    if (page) await this.#fill(page);
    return page;
  }

  async #fill(page: PageManifest): Promise<void> {
    this.#known = page;
    await holdManifest(page, this.pieceStore, this.handover?.blobs ?? new Map());
    this.#gatherer.setManifest(page);
    // What the origin is slow to tell of comes later.
    await within(GATHER_WAIT_MS, this.#gatherer.look());
    page.held = this.pieceStore.count(page.pieces);
    this.#keep();
  }

  /**
   * What a page that came whole used lies in the browser's own cache. Its document is stored beside it: then the worker can begin the next visit, and nothing
   * that is here is asked for again.
   */
  #keep(): void {
    this.#keepCurrent().catch(() => undefined);
  }

  async #keepCurrent(): Promise<void> {
    const page = this.#known;
    const record = page?.manifest.assets[0];
    if (this.answer !== 'full' || this.#isPersonal || !page || !record || this.#kept === page.digest) return;
    page.held = this.pieceStore.count(page.pieces);
    const blob = isComplete(page) && !this.#reportTimer ? await fromHttpCache(this.#documentUrl) : null;
    if (!blob || (await digestOf(new Uint8Array(await blob.arrayBuffer()))) !== record.digest) return;
    const before = await registration();
    // Nobody seeds here any more, or the site's own worker is just being fetched.
    if (this.reason || isOptedOut(document.cookie) || (before && !(before.active ?? before.waiting ?? before.installing))) return;
    this.#kept = page.digest;
    const active = (await registerWorker())?.active;
    const kept = active && (await keepAsset(record, blob)) && (await keep(manifestKey(page.digest), new Response(page.bytes, { headers: { [CACHED]: '' } })));
    // Meanwhile, in another tab perhaps.
    if (isOptedOut(document.cookie)) await forget();
    else if (kept) active.postMessage({ kind: 'viral-stored', manifest: page.digest, path: this.page } satisfies PageToWorker);
  }

  /** A thin visit goes on: what comes whole from now on is held, and what comes at all can be given. */
  #follow({ engineDriver: { tell } }: Handover): void {
    const before = tell.whole;
    tell.whole = (asset, blob) => {
      before(asset, blob);
      void this.pieceStore.add(asset.record, blob, true);
    };
    tell.grew = (id) => {
      if (id) this.#seeder?.handleKept(id);
      else this.#seeder?.handleChange();
      this.changed();
    };
  }

  /** A session began: time for reports. */
  welcomed(): void {
    this.#reports = 0;
    const seeder = this.#seeder;
    if (seeder && !this.#faultsReported) {
      this.#faultsReported = true;
      for (const { peer, fault } of this.handover?.faults ?? []) seeder.handleFault(peer, fault);
    }
    this.#reportLoaded();
  }

  /** What the visit used so far, in the order in which it was asked for. */
  #reportLoaded(): void {
    clearTimeout(this.#reportTimer);
    this.#reportTimer = undefined;
    if (!this.#seeder || this.#reports >= LOADED_REPORTS_MAX) return;
    this.#reports++;
    void this.#look().then(() => this.#reportUsed());
    this.#keep();
  }

  /** What the browser's timings say that the page itself used. */
  #named(): string[] {
    return usedPaths(performance.getEntriesByType('resource') as PerformanceResourceTiming[], location.origin, this.page);
  }

  #reportUsed(): void {
    // Who leaves before anything was looked at has nothing to say of the page.
    if (this.#used.size) this.#seeder?.tracker.send({ kind: 'loaded', page: this.page, assets: fitting([...this.#used], LOADED_ASSETS_MAX) });
  }

  /**
   * Looks what was used. The worker sees all that is answered for a thin page, its workers' requests among them, and leaves out what was asked for in parts; but a worker that
   * was stopped meanwhile has forgotten what it saw.
   */
  async #look(): Promise<void> {
    const worker = this.#bound ? controller() : null;
    const answered = worker && (await within(WORKER_WAIT_MS, askWorker(worker, { kind: 'viral-used' })));
    const seen = Array.isArray(answered) ? (answered as string[]).filter((path) => path !== keyOf(this.page) && !path.startsWith('/.viral/')) : [];
    const used = this.#bound && (seen.length || this.#used.size) ? seen : this.#named();
    for (const path of used) this.#used.add(path);
    // Of what the page itself used more is known.
    if (!this.handover) for (const path of seen) this.#gatherer.handleUsed(path, path, 0);
    if (this.#wasHeld) for (const path of this.#placed) this.#gatherer.handleUsed(path, path, GUESSED);
  }

  /** The server sent this to the visit, but not to the page itself: its workers asked. */
  handleUsed(paths: readonly string[]): void {
    if (this.answer !== 'full') return;
    for (const path of paths) this.#gatherer.handleUsed(path, path, 0);
  }

  #count(entry: PerformanceResourceTiming): void {
    this.totals.bytes.bytes_from_origin += originBytes(entry, location.origin, (path) => this.#isAnswered(path));
    const path = assetPath(entry.name, location.origin);
    const seeded = seededPath(entry.name, location.origin);
    // What a page that the loader put in place has lies in its store and its memory.
    if (seeded !== null && !this.handover && isWhole(entry)) this.#gatherer.handleUsed(seeded, entry.name, entry.decodedBodySize);
    // The last report is for the end of the visit.
    if (path !== null && this.#reports < LOADED_REPORTS_MAX - 1) {
      clearTimeout(this.#reportTimer);
      this.#reportTimer = setTimeout(() => this.#reportLoaded(), REPORT_QUIET_MS);
    }
    this.#seeder?.grew();
  }

  /** Whether the worker answers this path without the origin. */
  #isAnswered(path: string): boolean {
    const { refused, assets } = this.handover?.engineDriver ?? {};
    return !refused?.has(path) && (this.#placed.has(path) || !!assets?.has(path));
  }

  /** This page does not seed now. It goes on taking what it needs from the peers of its visit, and the server hears of the visit by beacons. */
  #stayOut(): void {
    this.changed();
    this.#reportVisit();
  }

  #reportVisit(): void {
    const handover = this.handover;
    if (!handover) return;
    const faults = this.#faultsReported ? [] : handover.faults;
    this.#faultsReported = true;
    const counts = this.report.takeGrowth();
    if (!counts && !faults.length) return;
    const post: VisitPost = { ticket: handover.boot.ticket, counts: counts ?? countsOf(noTotals()), faults };
    navigator.sendBeacon('/.viral/visit', JSON.stringify(post));
  }
}

/** Leaves nothing of ours in the browser. */
async function forget(): Promise<void> {
  const ours = await registration();
  if (ours && isOursAlone(ours)) await ours.unregister();
  await caches?.delete(STORE);
  localStorage.removeItem(HELD);
}

/** What the loader counted before the reload that put this page in place. */
function takeTotals(totals: Totals, report: Report): void {
  const text = sessionStorage.getItem('viral');
  if (!text) return;
  sessionStorage.removeItem('viral');
  const { counts, faults } = JSON.parse(text) as VisitPost;
  totals.bans += faults.filter(({ fault }) => fault === 'forged').length;
  const { sources, rings = [], ...bytes } = counts;
  for (const [ring, got] of rings.entries()) totals.rings[ring as 0] += got;
  for (const { peer, bytes: got } of sources) totals.sources.set(peer, got);
  const own = totals.bytes.bytes_from_origin;
  Object.assign(totals.bytes, bytes);
  // The tracker knows it from the loader.
  report.takeGrowth();
  totals.bytes.bytes_from_origin += own;
}
