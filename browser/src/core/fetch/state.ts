/** What the engine knows about a piece, and about one source of pieces: a peer or the origin. */

import type { PieceId } from '../digest';
import type { Beyond } from '../generated/Beyond';
import {
  CROWD_OVERDUE_MS, CROWD_TIMEOUT_MS, EPOCH_MS, OVERDUE_MS, TIMEOUT_MS, TIMEOUT_MS_MAX, SLOW_MS, SLOW_RATE, WINDOW_LEN_MAX, WINDOW_LEN_MIN, WINDOW_LEN_START,
  WINDOW_MS,
} from './config';
import type { PeerKey } from './types';

/** A time that never comes. */
export const NEVER = Infinity;

/** Which pieces come first: with every source all of a ring come before those of the next one. The page waits for those that are demanded. */
export const DEMANDED = 0;
/** To be had from whoever gives them. */
export const WANTED = 1;
/** To be had from peers only, until the page demands them. */
export const EXPECTED = 2;

/** A piece and the sources that owe it: at most two. */
export interface PieceState {
  readonly id: PieceId;
  readonly len: number;
  /** Its place among all pieces. */
  readonly _at: number;
  _ring: number;
  /** Its place in the queue of its ring. */
  _place: number;
  _held: boolean;
  _from: SourceState[];
  /** Peers that said they have it. */
  _availability: number;
}

/** State of one source. Names with `_` are the engine's own: the build renames them. */
export interface SourceState {
  readonly peer: PeerKey;
  /** The data channels are open (always true of the origin). */
  _open: boolean;
  /** It is behind another line: see {@link PieceTable._beyond}. */
  _beyond?: Beyond;
  /** Its `hello` arrived. */
  _known: boolean;
  /** It holds every piece of the page manifest. */
  _complete: boolean;
  /** Pieces it said it has. */
  readonly _has: Set<PieceState>;
  /** Pieces that it may still send without being at fault. */
  readonly _asked: Set<PieceState>;
  /** Pieces announced while dialling. */
  _announced: PieceState[];
  /** Pieces it owes, in the order they were asked, and their bytes. */
  readonly _flight: Set<PieceState>;
  _bytes: number;
  /** In the queue of each ring every piece below this is of no interest to this source now. */
  readonly _cursors: number[];
  _window: number;
  /** When it last delivered, or began to owe. */
  _since: number;
  /** Smoothed time between two pieces, in eighths of a millisecond. */
  _gap: number;
  /** Smoothed bytes per second; 0 = not measured. */
  _rate: number;
  _epochAt: number;
  _epochLen: number;
  _busyAt: number;
  _overdue: boolean;
  /** It sent a piece, or said which it has. */
  _heard?: boolean;
  /** Left alone until then, after refusals or failures in a row. */
  _pause: number;
  _refusals: number;
  /** Until then it may still say what it holds (or open at all). */
  _grace: number;
  /** It answered for all pieces below this. */
  _answered: number;
  /** End of the query that awaits its answer; 0 = none. */
  _asking: number;
  /** Has the waits of a crowd, where every line is shared by many: see {@link bePatient}. */
  _patient?: boolean;
  /** Frames to send at the end of this round. */
  _wants: PieceId[];
  _cancels: PieceId[];
}

/** A source of which nothing is known yet. */
export const newSourceState = (peer: PeerKey): SourceState => ({
  peer,
  _open: false,
  _known: false,
  _complete: false,
  _has: new Set(),
  _asked: new Set(),
  _announced: [],
  _flight: new Set(),
  _bytes: 0,
  _cursors: [0, 0, 0],
  _window: WINDOW_LEN_START,
  _since: 0,
  _gap: 0,
  _rate: 0,
  _epochAt: NEVER,
  _epochLen: 0,
  _busyAt: 0,
  _overdue: false,
  _pause: NEVER,
  _refusals: 0,
  _grace: NEVER,
  _answered: 0,
  _asking: 0,
  _wants: [],
  _cancels: [],
});

/** Integer division. */
export const div = (a: number, b: number): number => Math.floor(a / b);

/** `base` doubled `times` times, at most `max`. */
export const backoff = (base: number, times: number, max: number): number => Math.min(max, base << Math.min(times, 8));

/** When a source that owes pieces is dropped for its silence. */
export const timeoutAt = (state: SourceState): number =>
  state._since + (state._patient ? CROWD_TIMEOUT_MS : Math.min(TIMEOUT_MS_MAX, Math.max(TIMEOUT_MS, 3 * (state._gap >> 3))));

/** When a source that owes pieces is overdue. */
export const overdueAt = (state: SourceState): number =>
  Math.min(timeoutAt(state), state._since + Math.max(state._patient ? CROWD_OVERDUE_MS : OVERDUE_MS, state._gap >> 2));

/** In a crowd a line is shared by many: a gap says little, and a small window leaves the choice of the next piece for later. */
export function bePatient(state: SourceState): void {
  state._patient = true;
  if (!state._rate) state._window = WINDOW_LEN_MIN;
}

/** The piece may be of interest to this source now. */
export function turnBack({ _cursors }: SourceState, { _ring, _place }: PieceState): void {
  _cursors[_ring] = Math.min(_cursors[_ring]!, _place);
}

/** Every piece may be of interest to this source now. */
export function startOver({ _cursors }: SourceState): void {
  _cursors.fill(0);
}

/** Whether it opened and then said nothing in all the time it had for that: nobody waits for what it announced any more. */
export const isMute = ({ peer, _open, _known, _grace, _heard, _patient }: SourceState): boolean =>
  _open && _grace === NEVER && !_known && !_heard && !_patient && peer >= 0;

/** Whether its silence counts: it owes something, or never said a word. */
export const isAwaited = (state: SourceState): boolean => state._open && (state._flight.size > 0 || isMute(state));

/** The source is alive. */
export function noteActivity(state: SourceState, now: number): void {
  state._since = now;
  state._heard = true;
  state._overdue = false;
}

/** Takes note of a verified piece: gap, rate, window. True when the source proved too slow to keep. */
export function measure(state: SourceState, now: number, len: number): boolean {
  const gap = Math.min(now - state._since, TIMEOUT_MS_MAX);
  state._gap = state._gap ? state._gap + gap - (state._gap >> 3) : gap * 8;
  noteActivity(state, now);
  state._refusals = 0;
  if (state._epochAt === NEVER) {
    // The first piece carries the round trip; the rate begins with the second.
    state._epochAt = state._busyAt = now;
    return false;
  }
  state._epochLen += len;
  const ms = now - state._epochAt;
  if (ms < EPOCH_MS) return false;
  const rate = div(state._epochLen * 1000, ms);
  state._rate = state._rate ? div(state._rate * 3 + rate, 4) : rate;
  const window = Math.min(WINDOW_LEN_MAX, Math.max(WINDOW_LEN_MIN, div(state._rate * WINDOW_MS, 1000)));
  // A window that is not full is not what makes the peer slow.
  if (window > state._window || state._bytes > window) state._window = window;
  state._epochAt = now;
  state._epochLen = 0;
  return state._rate < SLOW_RATE && now - state._busyAt >= SLOW_MS;
}
