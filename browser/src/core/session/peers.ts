/** The connections of one visitor: when each is over, and how many count. Same decisions as `crates/swarm/src/client/peers.rs`. */

import { DIAL_GIVEN_UP_MS, DIAL_HOPED_MS, IDLE_MS } from '../generated/sessionPolicy';
import type { Met } from './search';

/** What a connection must tell of itself; whoever carries its frames keeps it up to date. Times are in milliseconds. */
export interface PeerLink {
  /** When the offer was answered. */
  readonly startedAt: number;
  /** When a frame last went either way. */
  readonly usedAt: number;
  /** Whether both channels opened. */
  readonly opened: boolean;
}

/** When a connection is over, in milliseconds: nobody used it for long by then, or it did not open. */
export const endsAt = ({ opened, usedAt, startedAt }: PeerLink): number => (opened ? usedAt + IDLE_MS : startedAt + DIAL_GIVEN_UP_MS);

/** How many there are, for the search for more. */
export function met(now: number, links: Iterable<PeerLink>): Met {
  let [opened, hopeful, late] = [0, 0, 0];
  for (const link of links) {
    if (link.opened) opened++;
    else if (now - link.startedAt < DIAL_HOPED_MS) hopeful++;
    else late++;
  }
  return { opened, hopeful, late };
}
