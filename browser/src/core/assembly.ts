/** Turns verified pieces into whole assets. A piece may occur in several assets, and several times in one. */

import { pieceIdOf } from './manifest';
import type { AssetRecord } from './manifest';
import type { PieceId } from './digest';

/** One asset of which every piece arrived: its record and the raw pieces in order. */
export interface WholeAsset {
  readonly record: AssetRecord;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

interface Waiting {
  readonly record: AssetRecord;
  readonly ids: readonly PieceId[];
  missing: number;
}

/** Keeps the bytes of pieces until every asset that needs them is whole. */
export class Assembly {
  readonly #users = new Map<PieceId, Waiting[]>();
  readonly #bytes = new Map<PieceId, Uint8Array<ArrayBuffer>>();

  /** Starts waiting for an asset. An asset without missing pieces (an empty one) comes back at once. */
  add(record: AssetRecord): WholeAsset | null {
    const ids = record.pieces.map((piece) => pieceIdOf(piece.digest));
    const distinct = new Set(ids);
    const waiting: Waiting = { record, ids, missing: 0 };
    for (const id of distinct) {
      if (!this.#bytes.has(id)) waiting.missing += 1;
      const users = this.#users.get(id);
      if (users) users.push(waiting);
      else this.#users.set(id, [waiting]);
    }
    return waiting.missing === 0 ? this.#finish(waiting) : null;
  }

  /** Takes the bytes of a verified piece; gives back the assets that it completed. Repeats are ignored. */
  handlePiece(id: PieceId, bytes: Uint8Array<ArrayBuffer>): WholeAsset[] {
    const users = this.#users.get(id);
    if (!users || this.#bytes.has(id)) return [];
    this.#bytes.set(id, bytes);
    const whole: WholeAsset[] = [];
    for (const waiting of [...users]) {
      waiting.missing -= 1;
      if (waiting.missing === 0) whole.push(this.#finish(waiting));
    }
    return whole;
  }

  /** The bytes of a piece that is held for an asset still incomplete. */
  bytes(id: PieceId): Uint8Array<ArrayBuffer> | undefined {
    return this.#bytes.get(id);
  }

  #finish(waiting: Waiting): WholeAsset {
    const parts = waiting.ids.flatMap((id) => this.#bytes.get(id) ?? []);
    for (const id of waiting.ids) {
      const left = (this.#users.get(id) ?? []).filter((other) => other !== waiting);
      if (left.length) this.#users.set(id, left);
      else {
        this.#users.delete(id);
        this.#bytes.delete(id);
      }
    }
    return { record: waiting.record, parts };
  }
}
