import { expect, test } from 'vitest';
import type { Point } from './overview';
import { Series, sum } from './series';

const point = (end_ms: number, thin = 1): Point => ({
  ...{ end_ms, length_ms: 15_000, sessions: 2, full: 0, thin, plain: 0, origin_bytes: 10, peer_bytes: 30 },
  ...{ opened: 0, failed: 0, bans: 0, refused: 0 },
});

test('only what is new is asked for, and nothing is twice', () => {
  const series = new Series();
  expect(series.sinceMs).toBe(0);
  series.add({ now_ms: 31_000, hour: [point(15_000), point(30_000)], day: [] });
  expect(series.sinceMs).toBe(30_000);
  series.add({ now_ms: 301_000, hour: [point(30_000), point(45_000)], day: [point(300_000)] });
  expect([series.hour.map(({ end_ms }) => end_ms), series.sinceMs]).toEqual([[15_000, 30_000, 45_000], 45_000]);
});

test('a server that began anew is another one', () => {
  const series = new Series();
  series.add({ now_ms: 900_000, hour: [point(890_000)], day: [point(600_000)] });
  series.add({ now_ms: 20_000, hour: [point(15_000)], day: [] });
  expect([series.hour.length, series.day.length, series.sinceMs]).toEqual([1, 0, 15_000]);
});

test('a day of it has a limit', () => {
  const series = new Series();
  for (let step = 1; step <= 6_000; step += 1) {
    const end_ms = step * 15_000;
    series.add({ now_ms: end_ms, hour: [point(end_ms)], day: step % 20 === 0 ? [point(end_ms, 20)] : [] });
  }
  expect([series.hour.length, series.day.length]).toEqual([240, 288]);
  expect(sum(series.day).thin).toBe(288 * 20);
  expect(series.recent(60_000).thin).toBe(4);
});

test('columns are in the clock of whoever looks', () => {
  const series = new Series();
  series.add({ now_ms: 40_000, hour: [point(15_000), point(30_000, 7)], day: [] });
  expect(series.columns(series.hour, 1_000_000, [({ thin }) => thin])).toEqual([
    [975, 990],
    [1, 7],
  ]);
});
