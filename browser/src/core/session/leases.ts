/** When one of a crowd asks for a lease, the first one before it knows the manifest whose pieces the lease names. Same decisions as `crates/swarm/src/client/leases.rs`. */

import type { Digest } from '../digest';
import { LEASE_FIRST_PIECES } from '../limits';

/**
 * What to do next. `ask`: send a `share`, `done` of whose earlier pieces are held and were not reported yet. `take`: the pieces at these places of the manifest are ours; none = everything is with
 * somebody. `ask-manifest`: ask the origin for the manifest now.
 */
export type LeaseOutput =
  | Ask
  | { readonly kind: 'take'; readonly manifest: Digest; readonly places: readonly number[] }
  | { readonly kind: 'ask-manifest' };

type Ask = { readonly kind: 'ask'; readonly manifest: Digest; readonly done: number };

/** How far the first lease is: not asked for, asked for, given before the manifest was here, or the download asks by itself. */
type First = 'unasked' | 'asked' | 'over' | readonly number[];

/** The leases of one visitor. */
export class Leases {
  #first: First = 'unasked';
  /** The download wants to ask, and there is no session yet. */
  #owed: Ask | null = null;
  /** A `share` of this manifest waits for its reply. */
  #asked: Digest | null = null;
  readonly #inCrowd: boolean;
  readonly #out: LeaseOutput[] = [];

  /** `asksAtOnce`: it was told the manifest and met nobody, so that the registration asks for a lease. `isFirst`: it was given the first pieces with the visit's answer. */
  constructor(inCrowd: boolean, asksAtOnce: boolean, isFirst: boolean) {
    this.#inCrowd = inCrowd;
    if (inCrowd && isFirst) this.#first = Array.from({ length: LEASE_FIRST_PIECES }, (_, at) => at);
    else if (inCrowd && asksAtOnce) this.#first = 'asked';
  }

  /** Whether the first messages of a session ask for a lease. */
  isAsked(): boolean {
    return this.#first === 'asked';
  }

  /**
   * Whether the download is to wait for leases: there are some, or there will be. Who met somebody near has the manifest before the session, and is not to take from the
   * origin meanwhile what others were granted. `live`: whether there is a session.
   */
  isLeasing(live: boolean): boolean {
    return this.#inCrowd && (live || this.#first !== 'over');
  }

  /** There is no session: nobody grants leases until there is another. What waits for a reply is asked again then. */
  handleLost(): void {
    this.#first = 'over';
    if (this.#asked !== null) this.#owed ??= { kind: 'ask', manifest: this.#asked, done: 0 };
    this.#asked = null;
  }

  /** Another manifest is looked for in place of one that was not here yet. Whether the registration changed by that. */
  handleRenamed(): boolean {
    if (this.#first === 'over') return false;
    this.#first = 'unasked';
    return true;
  }

  /** There is nobody to wait for who may have the sought manifest. Who has to wait for a lease came after others, and will have it from them sooner than the origin could send it once more. */
  handleAlone(manifest: Digest, live: boolean): void {
    if (!this.#inCrowd) return;
    if (this.#first === 'unasked' && live) {
      this.#first = 'asked';
      this.#ask({ kind: 'ask', manifest, done: 0 });
    }
    if (this.#first !== 'asked') this.#out.push({ kind: 'ask-manifest' });
  }

  /** The tracker grants a lease of the manifest that is sought. Whether it is empty: then whoever is alone has to ask the origin all the same. */
  handleEarly(places: readonly number[]): boolean {
    this.#first = places;
    this.#asked = null;
    if (places.length) this.#out.push({ kind: 'ask-manifest' });
    return !places.length;
  }

  /** The tracker grants a lease of a manifest that is here. */
  handleGiven(manifest: Digest, places: readonly number[]): void {
    this.#first = 'over';
    this.#asked = null;
    this.#out.push({ kind: 'take', manifest, places });
  }

  /** There is a session now: what could not be asked until then is. */
  handleWelcome(): void {
    if (this.#owed) this.#ask(this.#owed);
    this.#owed = null;
  }

  /** The download of `manifest` wants a lease; `done` as it says. `live`: whether there is a session to ask in. */
  handleWanted(manifest: Digest, done: number, live: boolean): void {
    const first = this.#first;
    // The answer is on its way.
    if (first === 'asked' && !done) return;
    this.#first = 'over';
    if (typeof first !== 'string') this.#out.push({ kind: 'take', manifest, places: first });
    else if (live) this.#ask({ kind: 'ask', manifest, done });
    else this.#owed = { kind: 'ask', manifest, done };
  }

  /** A `share` could not be sent. Who waits for the first lease waits for nothing then. */
  handleUnsent(): void {
    if (this.#first !== 'asked') return;
    this.#first = 'unasked';
    this.#out.push({ kind: 'ask-manifest' });
  }

  #ask(ask: Ask): void {
    this.#asked = ask.manifest;
    this.#out.push(ask);
  }

  /** The next thing to do; null when there is nothing until the next call. */
  poll(): LeaseOutput | null {
    return this.#out.shift() ?? null;
  }
}
