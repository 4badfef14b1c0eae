/** What sources owe that somebody waits for, and who owes too much of it. */

import type { PieceTable } from './piecetable';
import { END_GAME_MS } from './config';
import { EXPECTED, div } from './state';
import type { SourceState, PieceState } from './state';

/** What somebody waits for of all that the source owes, in the order in which it was asked. */
export const owed = ({ _flight }: SourceState): PieceState[] => [..._flight].filter(({ _ring }) => _ring < EXPECTED);

/** The later half of what the most indebted slow source but this one owes, as far as nobody else does, last piece first. */
export function debts(table: PieceTable, state: SourceState): PieceState[] {
  let debtor: SourceState | undefined;
  for (const other of table._all()) {
    const slow = other._overdue || (other._rate > 0 && div(other._bytes * 1000, other._rate) > END_GAME_MS);
    if (slow && other !== state && other._open && other._bytes > (debtor ? debtor._bytes : 0) && owed(other).length) debtor = other;
  }
  const pieces = debtor ? owed(debtor) : [];
  return pieces.slice(pieces.length >> 1).reverse().filter(({ _from }) => _from.length < 2);
}
