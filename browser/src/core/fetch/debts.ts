/** What sources owe that somebody waits for, and who owes too much of it. */

import type { Board } from './board';
import { END_GAME_MS } from './config';
import { EXPECTED, div } from './link';
import type { Link, Slot } from './link';

/** What somebody waits for of all that the source owes, in the order in which it was asked. */
export const owed = ({ _flight }: Link): Slot[] => [..._flight].filter(({ _ring }) => _ring < EXPECTED);

/** The later half of what the most indebted slow source but this one owes, as far as nobody else does, last piece first. */
export function debts(board: Board, link: Link): Slot[] {
  let debtor: Link | undefined;
  for (const other of board._all()) {
    const slow = other._late || (other._rate > 0 && div(other._bytes * 1000, other._rate) > END_GAME_MS);
    if (slow && other !== link && other._open && other._bytes > (debtor ? debtor._bytes : 0) && owed(other).length) debtor = other;
  }
  const slots = debtor ? owed(debtor) : [];
  return slots.slice(slots.length >> 1).reverse().filter(({ _from }) => _from.length < 2);
}
