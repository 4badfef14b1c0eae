/** What a seeder sends unasked and a leecher may expect unasked: one computation for both ends. */

import type { PieceId } from './digest';
import type { Push } from './generated/Push';
import { pieceIdOf } from './manifest';
import type { Piece } from './manifest';

/**
 * The pieces of `push`, in the order they are sent: of the manifest's distinct `pieces`, every `stripes`th beginning at
 * `stripe`, up to the first that would exceed `budget` raw bytes.
 */
export function planned({ stripe, stripes, budget }: Push, pieces: readonly Piece[]): PieceId[] {
  const ids: PieceId[] = [];
  for (let index = stripe, left = budget; ; index += stripes || 1) {
    const piece = pieces[index];
    left -= piece?.len ?? 0;
    if (!piece || left < 0) return ids;
    ids.push(pieceIdOf(piece.digest));
  }
}
