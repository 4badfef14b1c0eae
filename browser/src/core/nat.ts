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

/** Where a connection asks how the world sees it: at these UDP ports of a host, and nowhere else. */
export const stunServers = (host: string, ports: readonly number[]): RTCIceServer[] => (ports.length ? [{ urls: ports.map((port) => `stun:${host}:${port}`) }] : []);

/** What a browser is behind, by what its connections show one after the other. */
export class NatBelief {
  /** What is believed; null while nothing was shown. */
  kind: NatKind | null = null;
  #last: NatKind | null = null;

  /** What some connections show, in order. One alone may be chance: that each destination has a port of its own is believed of two in a row. */
  note(kinds: readonly (NatKind | null)[]): void {
    for (const kind of kinds) {
      if (!kind) continue;
      this.kind = kind === 'symmetric' && this.#last !== kind ? (this.kind ?? 'port_restricted') : kind;
      this.#last = kind;
    }
  }
}
