import { describe, expect, it } from 'vitest';
import { BACKOFF_MAX_MS, backoffMs } from './backoff';

describe('backoff', () => {
  it('doubles from half a second', () => {
    expect([0, 1, 2, 3].map((attempt) => backoffMs(attempt, 0.5))).toEqual([500, 1000, 2000, 4000]);
  });
  it('spreads visitors over half the wait to either side', () => {
    expect(backoffMs(0, 0)).toBe(250);
    expect(backoffMs(0, 0.999)).toBe(750);
  });
  it('never waits longer than the maximum and its jitter, whatever the attempt', () => {
    for (const attempt of [6, 7, 20, 1e9]) expect(backoffMs(attempt, 0.5)).toBe(BACKOFF_MAX_MS);
    expect(backoffMs(-1, 0.5)).toBe(500);
  });
});
