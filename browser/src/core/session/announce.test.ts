import { describe, expect, it } from 'vitest';
import { HAVE_MS, INTERESTED_IDS_MAX } from '../generated/sessionPolicy';
import { QUERY_IDS_MAX } from '../limits';
import { Announce } from './announce';
import type { AnnounceOutput } from './announce';
import { drain, idOf, numberOf, replay } from './trace.harness';

type Input =
  | { call: 'query'; peer: number; ids: number[]; held: number[] }
  | { call: 'held-by'; peer: number; ids: number[] }
  | { call: 'kept'; id: number }
  | { call: 'closed'; peer: number }
  | { call: 'timeout' };

replay(
  'announce',
  ({ serves }: { serves: boolean }) => new Announce(serves),
  (announce, { now, input }: { now: number; input: Input; outputs: unknown[]; timeout: number | null }) => {
    if (input.call === 'query') announce.handleQuery(input.peer, input.ids.map(idOf), (id) => input.held.includes(numberOf(id)));
    else if (input.call === 'held-by') announce.handleHeldBy(input.peer, input.ids.map(idOf));
    else if (input.call === 'kept') announce.handleKept(now, idOf(input.id));
    else if (input.call === 'closed') announce.handleClosed(input.peer);
    else announce.handleTimeout(now);
  },
  (output: AnnounceOutput) => ({ ...output, ids: output.ids.map(numberOf) }),
);

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => idOf(from + at));
const nothing = (): boolean => false;

describe('what is announced', () => {
  it('is bounded by peer: of a query that does not fit, as much as there is room for', () => {
    const announce = new Announce(true);
    announce.handleQuery(1, numbers(0, INTERESTED_IDS_MAX - 1), nothing);
    announce.handleQuery(1, numbers(INTERESTED_IDS_MAX - 1, INTERESTED_IDS_MAX + 1), nothing);
    announce.handleKept(0, idOf(INTERESTED_IDS_MAX));
    expect(announce.pollTimeout()).toBeNull();
    announce.handleKept(0, idOf(INTERESTED_IDS_MAX - 1));
    expect(announce.pollTimeout()).toBe(HAVE_MS);
  });

  it('fits a frame', () => {
    const announce = new Announce(true);
    const ids = numbers(0, QUERY_IDS_MAX + 1);
    announce.handleQuery(1, ids, nothing);
    for (const id of ids) announce.handleKept(0, id);
    drain(announce);
    announce.handleTimeout(HAVE_MS);
    expect(drain(announce).map((output) => output.ids.length)).toEqual([QUERY_IDS_MAX, 1]);
  });

  it('goes round a chain of ten visitors in half a second', () => {
    let now = 0;
    for (let hop = 0; hop < 10; hop++) {
      const announce = new Announce(true);
      announce.handleQuery(1, [idOf(7)], nothing);
      announce.handleKept(now, idOf(7));
      now = announce.pollTimeout() ?? Infinity;
      announce.handleTimeout(now);
      expect(drain(announce)[1]).toEqual({ kind: 'have', peer: 1, ids: [idOf(7)] });
    }
    expect(now).toBe(500);
  });
});
