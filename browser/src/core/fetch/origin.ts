/** What the origin is asked for beside what no peer can give: help for slow peers, or in a crowd a lease. It looks at the piece table and calls nobody. */

import { newHelp } from './help';
import type { Help } from './help';
import type { SourceState, PieceState } from './state';
import type { OriginLease } from './originlease';

/** The policy of one engine. Names with `_` are the engine's own: the build renames them. */
export interface OriginPolicy {
  /** What the origin is to give this one of a crowd; undefined = not in a crowd. */
  _lease?: OriginLease | undefined;
  /** What the origin does for slow peers, outside a crowd. */
  readonly _help: Help;
  /** Requests to the origin at the same time, if fewer than usual, where no tracker grants them. */
  _requestsMax?: number | undefined;
}

/** Of somebody alone. */
export const newPolicy = (): OriginPolicy => ({ _help: newHelp() });

/** A piece is held from now on; `isFromPeer`: a peer that is still there gave it. */
export function settled(policy: OriginPolicy, now: number, { len }: PieceState, isFromPeer: boolean, source?: SourceState): void {
  if (source) policy._help._lead += isFromPeer ? -len : len;
  policy._lease?._advance(now, isFromPeer, isFromPeer && source && !source._beyond ? len : 0);
}

/** Everything that no peer gives may be asked of the origin now. Whoever was one of a crowd asks with one request at a time: the others need their leases. */
export function leaveCrowd(policy: OriginPolicy): void {
  if (policy._lease) policy._requestsMax = 1;
  policy._lease = undefined;
}
