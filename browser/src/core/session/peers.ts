/** The connections of one visitor: when each is over, and how many count. Same decisions as `crates/swarm/src/client/peers.rs`. */

import { CONTROL_FRAMES_PER_S_MAX, DIAL_GIVEN_UP_MS, DIAL_HOPED_MS, IDLE_MS } from '../generated/sessionPolicy';
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

/** A connection whose control frames are counted. */
export interface CountedLink {
  /** Those of the current second; none yet if absent. */
  controlCount?: number;
  /** When that second began, in milliseconds. */
  controlSince?: number;
}

/** A control frame came. False if there are more of them than any honest peer sends. */
export function handleControl(now: number, link: CountedLink): boolean {
  if (now - (link.controlSince ??= now) >= 1_000) {
    link.controlSince = now;
    link.controlCount = 0;
  }
  return (link.controlCount = (link.controlCount ?? 0) + 1) <= CONTROL_FRAMES_PER_S_MAX;
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
