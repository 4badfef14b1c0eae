import { expect, it } from 'vitest';

import { PATHS_LEN_MAX, fitting } from './fitting';

it('takes the first paths, no more than fit one message', () => {
  const long = Array.from({ length: 100 }, (_, n) => `/${String(n).padStart(4095, '0')}`);
  const taken = fitting(long, 256);
  expect(taken).toEqual(long.slice(0, taken.length));
  expect(JSON.stringify(taken).length).toBeLessThanOrEqual(PATHS_LEN_MAX);
  expect(taken.length).toBe(14);
  expect(fitting(long, 3)).toEqual(long.slice(0, 3));
  expect(fitting([...long.slice(0, 14), '/', ...long], 256)).toHaveLength(15);
});
