import { describe, expect, it } from 'vitest';
import { countsOf, growth, noTotals } from './counts';

describe('counts', () => {
  it('report what grew since the last time, largest source first', () => {
    const totals = noTotals();
    totals.bytes.bytes_from_peers = 30;
    totals.bytes.pieces_verified = 2;
    totals.sources.set(7, 10).set(8, 20);
    const before = countsOf(totals);
    totals.bytes.bytes_from_peers = 140;
    totals.sources.set(7, 60).set(9, 60);
    totals.rings[1] = 100;
    expect(growth(before, countsOf(totals), 8)).toEqual({
      bytes_from_peers: 110,
      bytes_from_origin: 0,
      bytes_to_peers: 0,
      pieces_verified: 0,
      rings: [0, 100, 0],
      sources: [
        { peer: 9, bytes: 60 },
        { peer: 7, bytes: 50 },
      ],
    });
  });
  it('report nothing when nothing grew', () => {
    const counts = countsOf(noTotals());
    expect(growth(counts, countsOf(noTotals()), 8)).toBeNull();
  });
  it('name no more sources than the signal may hold', () => {
    const totals = noTotals();
    totals.bytes.bytes_from_peers = 3;
    totals.sources.set(1, 1).set(2, 2);
    expect(growth(countsOf(noTotals()), countsOf(totals), 1)?.sources).toEqual([{ peer: 2, bytes: 2 }]);
  });
});
