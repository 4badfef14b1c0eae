/** What a browser is behind, by what the server told its idle offers. */

import type { NatKind } from './generated/NatKind';

/**
 * Of the SDP of one connection that gathered to the end. Two answers to one socket differ behind a NAT that gives each destination a port of its own. Candidates of one socket have
 * the same priority but for its lower bits: Chromium's and Firefox's differ by interface above them. Null where the server told nothing.
 */
export function natOf(sdp: string): NatKind | null {
  const ports = new Map<string, string>();
  let nat: NatKind | null = null;
  for (const [, priority, address, port] of sdp.matchAll(/^a=candidate:\S+ 1 udp (\d+) ([\d.]+) (\d+) typ srflx/gim)) {
    const socket = `${address} ${Number(priority) >>> 16}`;
    const known = ports.get(socket) ?? port!;
    ports.set(socket, known);
    nat = known !== port || nat === 'symmetric' ? 'symmetric' : 'port_restricted';
  }
  return nat;
}

/** Of several connections: what one alone shows may be chance, so one port for everybody is believed sooner. `before` is what was believed. */
export function natOfAll(kinds: readonly (NatKind | null)[], before: NatKind | null): NatKind | null {
  const known = kinds.filter((kind) => kind !== null);
  if (!known.length) return before;
  const repeated = known.length > 1 || before === 'symmetric';
  return known.every((kind) => kind === 'symmetric') && repeated ? 'symmetric' : 'port_restricted';
}
