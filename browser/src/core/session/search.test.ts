import { describe, expect, it } from 'vitest';
import { DIAL_HOPED_MS, FIND_MS_MAX, PEERS_WANTED } from '../generated/sessionPolicy';
import { OFFERS_PER_LEECHER_MAX } from '../limits';
import { Search } from './search';
import type { Met } from './search';
import { drain, replay } from './trace.harness';

interface Input {
  call: 'change' | 'timeout';
  met: Met;
  misses: boolean;
}

replay(
  'search',
  () => new Search(),
  (search, { now, input: { call, met, misses } }: { now: number; input: Input; outputs: unknown[]; timeout: number | null }) => {
    if (call === 'change') search.handleChange(now, met, misses);
    else search.handleTimeout(now, met, misses);
  },
);

const nobody: Met = { opened: 0, hopeful: 0, late: 0 };

/** Lets time pass up to `until`; when how many peers were asked for. */
function pass(search: Search, until: number, met: Met): [number, number][] {
  const asked: [number, number][] = [];
  for (let at = search.pollTimeout(); at !== null && at <= until; at = search.pollTimeout()) {
    search.handleTimeout(at, met, true);
    for (const { count } of drain(search)) asked.push([at, count]);
  }
  return asked;
}

describe('a page that lost its only peer', () => {
  it('asks at once, and goes on asking while nobody comes', () => {
    const search = new Search();
    search.handleChange(100, nobody, true);
    expect(pass(search, 31_000, nobody)).toEqual([[100, 4], [2_100, 4], [6_100, 4], [14_100, 4], [29_100, 4]]);
    expect(search.pollTimeout()).toBe(29_100 + FIND_MS_MAX);
  });

  it('asks for no more peers than one message may bring', () => {
    expect(PEERS_WANTED).toBeLessThanOrEqual(OFFERS_PER_LEECHER_MAX);
  });

  it('waits for those it dials before it asks for more', () => {
    const search = new Search();
    search.handleChange(0, nobody, true);
    expect(pass(search, 0, nobody)).toEqual([[0, 4]]);
    expect(pass(search, 2_000, { opened: 0, hopeful: 4, late: 0 })).toEqual([]);
    expect(search.pollTimeout()).toBe(2_000 + DIAL_HOPED_MS);
    expect(pass(search, 9_000, { opened: 3, hopeful: 0, late: 1 })).toEqual([[4_500, 1], [8_500, 1]]);
  });

  it('sleeps once nothing is missing any more', () => {
    const search = new Search();
    search.handleChange(0, nobody, true);
    search.handleTimeout(0, nobody, false);
    expect([drain(search), search.pollTimeout()]).toEqual([[], null]);
  });
});
