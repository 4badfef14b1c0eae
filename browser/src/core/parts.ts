/** Puts the parts of one manifest blob together, as one peer sends them. */

import type { Digest } from './digest';
import { MANIFEST_LEN_MAX } from './limits';

/** One part. */
export interface Part {
  readonly manifest: Digest;
  readonly offset: number;
  readonly total: number;
  readonly body: Uint8Array;
}

/** Takes parts; they come in order and without gap, or the sender is at fault. One per connection. */
export class Parts {
  #bytes = new Uint8Array(0);
  #filled = 0;

  /** The blob, once it is whole; null while parts are missing; undefined for a part that is out of order. The one at offset 0 starts over. */
  handlePart({ offset, total, body }: Part): Uint8Array<ArrayBuffer> | null | undefined {
    if (!offset && total <= MANIFEST_LEN_MAX) {
      this.#bytes = new Uint8Array(total);
      this.#filled = 0;
    }
    if (offset !== this.#filled || total !== this.#bytes.length || offset + body.length > total) return undefined;
    this.#bytes.set(body, offset);
    this.#filled += body.length;
    return this.#filled === total ? this.#bytes : null;
  }
}
