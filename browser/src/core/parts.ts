/** Puts the parts of one manifest blob together, as one peer sends them. */

import { MANIFEST_LEN_MAX } from './limits';
import type { Digest } from './digest';

/** What a part led to. */
export type PartOutcome = { kind: 'more' } | { kind: 'whole'; bytes: Uint8Array<ArrayBuffer> } | { kind: 'malformed' };

/** Collects parts; they come in order and without gap, or the sender is at fault. One per connection. */
export class Parts {
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;

  /** Takes one part. After `whole` or `malformed` the next part starts over. */
  handlePart(part: { manifest: Digest; offset: number; total: number; body: Uint8Array }): PartOutcome {
    const bytes = part.offset === 0 && part.total <= MANIFEST_LEN_MAX ? new Uint8Array(part.total) : this.#bytes;
    const filled = part.offset === 0 ? 0 : this.#filled;
    this.#bytes = null;
    if (!bytes || part.total !== bytes.length || part.offset !== filled || filled + part.body.length > bytes.length || !part.body.length) {
      return { kind: 'malformed' };
    }
    bytes.set(part.body, filled);
    this.#filled = filled + part.body.length;
    if (this.#filled === bytes.length) return { kind: 'whole', bytes };
    this.#bytes = bytes;
    return { kind: 'more' };
  }
}
