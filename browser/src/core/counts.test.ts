import { describe, expect, it } from 'vitest';
import { copyTotals, growth, noTotals } from './counts';

describe('counts', () => {
  it('report what grew since the last time, largest source first', () => {
    const totals = noTotals();
    totals.bytesFromPeers = 30;
    totals.piecesVerified = 2;
    totals.sources.set(7, 10).set(8, 20);
    const before = copyTotals(totals);
    totals.bytesFromPeers = 130;
    totals.sources.set(7, 60).set(9, 50);
    expect(growth(before, totals, 8)).toEqual({
      bytes_from_peers: 100,
      bytes_from_origin: 0,
      bytes_to_peers: 0,
      pieces_verified: 0,
      sources: [
        { peer: 7, bytes: 50 },
        { peer: 9, bytes: 50 },
      ],
    });
  });
  it('report nothing when nothing grew', () => {
    const totals = noTotals();
    expect(growth(copyTotals(totals), totals, 8)).toBeNull();
  });
  it('name no more sources than the signal may hold', () => {
    const totals = noTotals();
    totals.bytesFromPeers = 3;
    totals.sources.set(1, 1).set(2, 2);
    expect(growth(noTotals(), totals, 1)?.sources).toEqual([{ peer: 2, bytes: 2 }]);
  });
});
