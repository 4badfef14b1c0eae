/** What the engine knows about one source: a peer or the origin. */

import type { PieceId } from '../digest';
import { EPOCH_MS, LATE_MS, SILENT_MS, SILENT_MS_MAX, SLOW_MS, SLOW_RATE, WINDOW_LEN_MAX, WINDOW_LEN_MIN, WINDOW_LEN_START, WINDOW_MS } from './config';
import type { PeerKey } from './types';

/** A time that never comes. */
export const NEVER = Infinity;

/** State of one source. Pieces are named by their index on the board. */
export interface Link {
  readonly peer: PeerKey;
  /** The data channels are open (always true of the origin). */
  open: boolean;
  /** Its `hello` arrived. */
  known: boolean;
  /** It holds every piece of the page manifest. */
  complete: boolean;
  /** Pieces it said it has. */
  readonly has: Set<number>;
  /** Pieces that it may still send without being at fault. */
  readonly asked: Set<number>;
  /** Pieces promised while dialling. */
  promised: number[];
  /** Pieces it owes, in the order they were asked, and their bytes. */
  readonly flight: Set<number>;
  bytes: number;
  /** Every piece below this is of no interest to this source now. */
  cursor: number;
  window: number;
  /** When it last delivered, or began to owe. */
  since: number;
  /** Smoothed time between two pieces, in eighths of a millisecond. */
  gap: number;
  /** Smoothed bytes per second; 0 = not measured. */
  rate: number;
  epochAt: number;
  epochLen: number;
  busyAt: number;
  late: boolean;
  /** Left alone until then, after refusals or failures in a row. */
  pause: number;
  refusals: number;
  /** Until then it may still say what it holds (or open at all). */
  grace: number;
  /** It answered for all pieces below this. */
  answered: number;
  /** End of the query that awaits its answer; 0 = none. */
  asking: number;
  /** Frames to send at the end of this round. */
  wants: PieceId[];
  cancels: PieceId[];
}

/** A source of which nothing is known yet. */
export const newLink = (peer: PeerKey): Link => ({
  peer,
  open: false,
  known: false,
  complete: false,
  has: new Set(),
  asked: new Set(),
  promised: [],
  flight: new Set(),
  bytes: 0,
  cursor: 0,
  window: WINDOW_LEN_START,
  since: 0,
  gap: 0,
  rate: 0,
  epochAt: NEVER,
  epochLen: 0,
  busyAt: 0,
  late: false,
  pause: NEVER,
  refusals: 0,
  grace: NEVER,
  answered: 0,
  asking: 0,
  wants: [],
  cancels: [],
});

/** Integer division. */
export const div = (a: number, b: number): number => Math.floor(a / b);

/** `base` doubled `times` times, at most `max`. */
export const backoff = (base: number, times: number, max: number): number => Math.min(max, base << Math.min(times, 8));

/** When a source that owes pieces is dropped for its silence. */
export const silentAt = (link: Link): number =>
  link.since + Math.min(SILENT_MS_MAX, Math.max(SILENT_MS, 3 * (link.gap >> 3)));

/** When a source that owes pieces is late. */
export const lateAt = (link: Link): number =>
  Math.min(silentAt(link), link.since + Math.max(LATE_MS, link.gap >> 2));

/** Takes note of a verified piece: gap, rate, window. True when the source proved too slow to keep. */
export function measure(link: Link, now: number, len: number): boolean {
  const gap = Math.min(now - link.since, SILENT_MS_MAX);
  link.gap = link.gap ? link.gap + gap - (link.gap >> 3) : gap * 8;
  link.since = now;
  link.late = false;
  link.refusals = 0;
  if (link.epochAt === NEVER) {
    // The first piece carries the round trip; the rate begins with the second.
    link.epochAt = link.busyAt = now;
    return false;
  }
  link.epochLen += len;
  const ms = now - link.epochAt;
  if (ms < EPOCH_MS) return false;
  const rate = div(link.epochLen * 1000, ms);
  link.rate = link.rate ? div(link.rate * 3 + rate, 4) : rate;
  link.window = Math.min(WINDOW_LEN_MAX, Math.max(WINDOW_LEN_MIN, div(link.rate * WINDOW_MS, 1000)));
  link.epochAt = now;
  link.epochLen = 0;
  return link.rate < SLOW_RATE && now - link.busyAt >= SLOW_MS;
}
