import { expect, test } from 'vitest';
import { bytes, duration, percent, time } from './format';

test('bytes have at most three digits', () => {
  const said = [0, 1, 999, 1000, 1234, 99_949, 123_456, 999_499, 999_500, 1.5e9, 4e18].map(bytes);
  expect(said).toEqual(['0 B', '1 B', '999 B', '1.0 kB', '1.2 kB', '100 kB', '123 kB', '999 kB', '1.0 MB', '1.5 GB', '4000 PB']);
  for (let value = 1; value < 1e15; value *= 1.07) expect(bytes(value)).toMatch(/^\d{1,3}(\.\d)? [kMGTP]?B$/);
});

test('where nothing is known a dash is shown', () => {
  expect([percent(1, 0), percent(0, 3), percent(2, 3), time(null), time(12.4), time(1234), time(20_400)]).toEqual(['–', '0 %', '67 %', '–', '12 ms', '1.2 s', '20 s']);
  expect([duration(12.9), duration(61), duration(3_660), duration(90_000)]).toEqual(['12 s', '1 min', '1 h 1 min', '1 d 1 h']);
});
