import { describe, expect, it } from 'vitest';
import type { NatKind } from './generated/NatKind';
import { NatBelief, natOf } from './nat';

const line = (priority: number, address: string, port: number, kind = 'srflx'): string =>
  `a=candidate:1 1 udp ${priority} ${address} ${port} typ ${kind} raddr 0.0.0.0 rport 0 generation 0\r\n`;

describe('natOf', () => {
  it('tells a port for each destination from one for everybody', () => {
    expect(natOf(line(1686052607, '203.0.113.7', 40001))).toBe('port_restricted');
    expect(natOf(line(1686052607, '203.0.113.7', 40001) + line(1686052607, '203.0.113.7', 40001))).toBe('port_restricted');
    expect(natOf(line(1686052607, '203.0.113.7', 40001) + line(1686052351, '203.0.113.7', 40002))).toBe('symmetric');
  });

  it('takes sockets of two interfaces for two', () => {
    expect(natOf(line(1686052863, '203.0.113.7', 40001) + line(1685987327, '203.0.113.7', 40002))).toBe('port_restricted');
    expect(natOf(line(1686052863, '203.0.113.7', 40001) + line(1686052863, '198.51.100.7', 40002))).toBe('port_restricted');
  });

  it('knows nothing of host candidates and of IPv6', () => {
    expect(natOf(line(2113937151, '203.0.113.7', 40001, 'host') + line(1686052607, '2001:db8::7', 40001))).toBeNull();
    expect(natOf('')).toBeNull();
  });
});

describe('what is believed', () => {
  const believed = (...batches: (NatKind | null)[][]): NatKind | null => {
    const belief = new NatBelief();
    for (const kinds of batches) belief.note(kinds);
    return belief.kind;
  };
  it('needs two in a row for a port for each destination, of one batch or of two', () => {
    expect(believed(['symmetric'])).toBe('port_restricted');
    expect(believed(['symmetric', 'symmetric'])).toBe('symmetric');
    expect(believed(['symmetric'], ['symmetric'])).toBe('symmetric');
    expect(believed(['symmetric'], [null], ['symmetric'])).toBe('symmetric');
    expect(believed(['port_restricted'], ['symmetric'])).toBe('port_restricted');
    expect(believed(['port_restricted'], ['symmetric'], ['symmetric'])).toBe('symmetric');
  });
  it('changes back at once, and is nothing while nothing was shown', () => {
    expect(believed(['symmetric', 'symmetric'], ['port_restricted'])).toBe('port_restricted');
    expect(believed(['symmetric', 'symmetric'], [null])).toBe('symmetric');
    expect([believed(), believed([null])]).toEqual([null, null]);
  });
});
