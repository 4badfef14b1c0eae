/** When the tracker is asked for more peers, and for how many. Same decisions as `crates/swarm/src/client/search.rs`. */

import { DIAL_HOPED_MS, FIND_MS, FIND_MS_MAX, PEERS_WANTED } from '../generated/sessionPolicy';

/** Send a `find` for so many peers: at least 1, and no more than `PEERS_WANTED`, which is below `OFFERS_PER_LEECHER_MAX`. */
export interface SearchOutput {
  readonly kind: 'find';
  readonly count: number;
}

/** The connections there are, dialled or accepted. */
export interface Met {
  /** Open ones. */
  readonly opened: number;
  /** Those that are not open and were begun less than `DIAL_HOPED_MS` ago. */
  readonly hopeful: number;
  /** All others that are not open: they may never be. */
  readonly late: number;
}

/** Looks for peers while there are too few for what is missing, and less and less often. */
export class Search {
  /** The pause after the next search, in milliseconds. */
  #pause = FIND_MS;
  #due: number | null = null;
  #out: SearchOutput | null = null;

  /** Something changed: a connection, a session, what is missing. `misses`: whether anything is missing that peers may have. */
  handleChange(now: number, { opened, hopeful, late }: Met, misses: boolean): void {
    const few = opened + hopeful < PEERS_WANTED;
    if (!misses || !(few || hopeful + late)) return;
    // Not all of those that are dialled may ever open.
    const at = now + (few ? this.#pause === FIND_MS ? 0 : this.#pause : DIAL_HOPED_MS);
    this.#due = Math.min(this.#due ?? at, at);
  }

  /** Time passed. */
  handleTimeout(now: number, met: Met, misses: boolean): void {
    if (this.#due === null || now < this.#due) return;
    this.#due = null;
    const count = PEERS_WANTED - met.opened - met.hopeful;
    if (count <= 0 || !misses) {
      // Only what opened counts: where nothing ever does, everybody's offers would be used up.
      if (!misses || met.opened >= PEERS_WANTED) this.#pause = FIND_MS;
      return this.handleChange(now, met, misses);
    }
    this.#out = { kind: 'find', count };
    this.#pause = Math.min(this.#pause * 2, FIND_MS_MAX);
    this.#due = now + this.#pause;
  }

  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): SearchOutput | null {
    const output = this.#out;
    this.#out = null;
    return output;
  }

  /** When to call {@link handleTimeout}, in milliseconds; null = not needed. */
  pollTimeout(): number | null {
    return this.#due;
  }
}
