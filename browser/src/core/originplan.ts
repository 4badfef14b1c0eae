/** Chooses how pieces come from the origin: one by one, or with their whole asset, which the server sends compressed. */

import { pieceIdOf } from './manifest';
import type { AssetRecord } from './manifest';
import type { PieceId } from './digest';

/** Assets shorter than this come as pieces: several small ones fit one request. In bytes. */
export const WHOLE_LEN_MIN = 32 * 1024;

/** An asset is fetched whole if at least this share of its bytes is missing, in percent. */
export const WHOLE_MISSING_MIN_PERCENT = 75;

/** What to ask of the origin for one `ask-origin`. */
export interface OriginPlan {
  /** Assets to fetch by their own path. */
  readonly whole: readonly AssetRecord[];
  /** Pieces to ask for by id. */
  readonly ids: readonly PieceId[];
}

/** Knows which asset a piece belongs to (the first one that has it). */
export class OriginPlanner {
  readonly #assetOf = new Map<PieceId, AssetRecord>();
  readonly #refused = new Set<string>();

  /** Makes the pieces of an asset known. */
  add(record: AssetRecord): void {
    for (const piece of record.pieces) {
      const id = pieceIdOf(piece.digest);
      if (!this.#assetOf.has(id)) this.#assetOf.set(id, record);
    }
  }

  /** The asset at this path did not match its record (a newer version is deployed): its pieces are asked for by id from now on. */
  handleMismatch(path: string): void {
    this.#refused.add(path);
  }

  /**
   * Splits `ids`. An asset comes whole when hardly any of it is held and no peer works on it; a hedge for one late piece
   * must not fetch the megabytes around it.
   */
  plan(ids: readonly PieceId[], isHeld: (id: PieceId) => boolean, peersDeliver: boolean): OriginPlan {
    const whole = new Set<AssetRecord>();
    const single: PieceId[] = [];
    for (const id of ids) {
      const record = this.#assetOf.get(id);
      if (record && (whole.has(record) || (!peersDeliver && this.#worthWhole(record, isHeld)))) whole.add(record);
      else single.push(id);
    }
    return { whole: [...whole], ids: single };
  }

  #worthWhole(record: AssetRecord, isHeld: (id: PieceId) => boolean): boolean {
    if (record.len < WHOLE_LEN_MIN || this.#refused.has(record.path)) return false;
    let missing = 0;
    for (const piece of record.pieces) if (!isHeld(pieceIdOf(piece.digest))) missing += piece.len;
    return missing * 100 >= record.len * WHOLE_MISSING_MIN_PERCENT;
  }
}
