import { expect, test } from 'vitest';
import { EARLIER, Lineage, ORIGIN } from './lineage';

const joined = (ordinal: number, page = '/') => ({ kind: 'joined', ordinal, answer: 'thin', page }) as const;

test('a snapshot and what follows it give one picture', () => {
  const lineage = new Lineage();
  const first = { ordinal: 1, answer: 'full', page: '/', seeding: true, left: false, dropped: false, sources: [{ from: ORIGIN, bytes: 100 }] } as const;
  lineage.snapshot([{ ...first, sources: [...first.sources] }]);
  lineage.apply(joined(2));
  lineage.apply({ kind: 'linked', ordinal: 2, from: 1 });
  lineage.apply({ kind: 'bytes', ordinal: 2, from: 1, bytes: 50 });
  lineage.apply({ kind: 'bytes', ordinal: 2, from: 1, bytes: 50 });
  lineage.apply({ kind: 'seeding', ordinal: 2 });
  lineage.apply({ kind: 'bytes', ordinal: 99, from: 1, bytes: 1 });
  expect(lineage.picture('', 9)).toEqual({
    nodes: [ORIGIN, 1, 2],
    edges: [
      { from: ORIGIN, to: 1, bytes: 100 },
      { from: 1, to: 2, bytes: 100 },
    ],
    earlier: 0,
  });
  expect(lineage.summary('/')).toBe('2 of the latest visitors are here, 2 of them give to others; 50 % of what they took came from each other.');
  lineage.apply({ kind: 'left', ordinal: 1 });
  expect(lineage.summary('')).toContain('1 of the latest visitors are here');
});

test('visitors beyond those that are drawn are one', () => {
  const lineage = new Lineage();
  for (let ordinal = 1; ordinal <= 6; ordinal += 1) {
    lineage.apply(joined(ordinal, ordinal % 2 ? '/odd' : '/even'));
    for (let from = 1; from < ordinal; from += 1) lineage.apply({ kind: 'bytes', ordinal, from, bytes: 1 });
  }
  const { nodes, edges, earlier } = lineage.picture('', 2);
  expect([nodes, earlier]).toEqual([[EARLIER, ORIGIN, 5, 6], 4]);
  expect(edges).toEqual([
    { from: EARLIER, to: 5, bytes: 4 },
    { from: EARLIER, to: 6, bytes: 4 },
    { from: 5, to: 6, bytes: 1 },
  ]);
  expect(lineage.picture('/odd', 9).nodes).toEqual([ORIGIN, 1, 3, 5]);
  expect(lineage.pages()).toEqual(['/even', '/odd']);
});

test('whoever comes back is the same visit, and the oldest are forgotten', () => {
  const lineage = new Lineage();
  lineage.apply(joined(1));
  lineage.apply({ kind: 'bytes', ordinal: 1, from: 0, bytes: 7 });
  lineage.apply({ kind: 'left', ordinal: 1 });
  lineage.apply(joined(1));
  expect(lineage.visits.get(1)).toMatchObject({ left: false, sources: new Map([[0, 7]]) });
  for (let ordinal = 2; ordinal <= 2_000; ordinal += 1) lineage.apply(joined(ordinal));
  expect([lineage.visits.size, lineage.visits.has(1), lineage.visits.has(2_000)]).toEqual([600, false, true]);
});
