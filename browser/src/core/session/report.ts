/** What the tracker is told of what is held and of who gave how much, and when. Same decisions as `crates/swarm/src/client/report.rs`. */

import { countsOf, growth, noTotals } from '../counts';
import type { Totals } from '../counts';
import type { Digest } from '../digest';
import type { Progress } from '../fetch/types';
import type { Counts } from '../generated/Counts';
import type { PeerToTracker } from '../generated/PeerToTracker';
import { CROWD_REPORT_MS, REPORT_MS } from '../generated/sessionPolicy';
import { SOURCES_MAX } from '../limits';

/** What is held of a manifest: distinct pieces, and their raw bytes. */
export interface Held {
  readonly manifest: Digest;
  readonly pieces: number;
  readonly bytes: number;
}

/** Reports what grew, a while later, so that a report is about many pieces. */
export class Report {
  readonly #totals: Totals;
  readonly #inCrowd: boolean | undefined;
  /** What the tracker knows of the totals. */
  #told: Counts = countsOf(noTotals());
  /** What the tracker knows to be held. */
  #held: Held | null = null;
  /** What it knew of the totals before the last report, in case that does not leave. */
  #toldBefore = this.#told;
  #due: number | null = null;
  readonly #out: PeerToTracker[] = [];

  /**
   * Nothing was told yet of the `totals`. Whoever takes or gives bytes counts them there: in a page that is the loader, and the browser itself for the origin.
   * `inCrowd`: whether nobody had the app when this visitor came.
   */
  constructor(totals: Totals, inCrowd?: boolean) {
    this.#totals = totals;
    this.#inCrowd = inCrowd;
  }

  /** Something grew: a report is due soon. `progress` is that of the download; only a crowd needs it. */
  handleGrowth(now: number, progress?: Progress): void {
    const at = now + (this.#inCrowd && progress && !mattersToTracker(progress, this.#held?.pieces ?? 0) ? CROWD_REPORT_MS : REPORT_MS);
    this.#due = Math.min(this.#due ?? at, at);
  }

  /** A session began: what is held is new to it. */
  handleWelcome(): void {
    this.#held = null;
  }

  /** A signal of {@link poll} could not be sent: it is part of the next report. */
  handleUnsent({ kind }: PeerToTracker): void {
    if (kind === 'held') this.#held = null;
    else if (kind === 'counts') this.#told = this.#toldBefore;
  }

  /** Reports now. Without a session (`live`) nothing is said, and nothing is lost. `held` is asked only if there is one; null = no manifest is known. */
  handleReport(live: boolean, held: () => Held | null): void {
    this.#due = null;
    if (!live) return;
    const now = held();
    if (now && (now.manifest !== this.#held?.manifest || now.pieces !== this.#held.pieces)) {
      this.#held = now;
      this.#out.push({ kind: 'held', ...now });
    }
    const grown = this.takeGrowth();
    if (grown) this.#out.push({ kind: 'counts', ...grown });
  }

  /** What grew since the tracker was told, null if nothing did; it counts as told. For what leaves, or left, another way. */
  takeGrowth(): Counts | null {
    const counts = countsOf(this.#totals);
    const grown = growth(this.#told, counts, SOURCES_MAX);
    if (grown) {
      this.#toldBefore = this.#told;
      this.#told = counts;
    }
    return grown;
  }

  /** The next signal to send; {@link handleUnsent} if that fails. Null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): PeerToTracker | null {
    return this.#out.shift() ?? null;
  }

  /** When to call {@link handleReport}, in milliseconds; null = not needed. */
  pollTimeout(): number | null {
    return this.#due;
  }
}

/** Whether what is held changes what the tracker does: there is something, or so much that others are sent here for it, or everything. */
const mattersToTracker = ({ held, total, done }: Progress, reported: number): boolean => done || !reported || (reported * 2 < total && total <= held * 2);
