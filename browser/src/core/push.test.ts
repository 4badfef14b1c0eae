/** Push plans and limits: the shared vectors. */

import { describe, expect, test } from 'vitest';
import { vectors } from '../../test/vectors';
import type { Push } from './generated/Push';
import * as limits from './limits';
import type { Piece } from './manifest';
import { planned } from './push';

const { pieces, plans } = vectors<{ pieces: Piece[]; plans: { name: string; push: Push; planned: string[] }[] }>('push');

describe('a push plan names exactly these pieces', () => {
  test.each(plans)('$name', ({ push, planned: ids }) => {
    expect(planned(push, pieces)).toEqual(ids);
  });
});

test('limits are those of the rust half', () => {
  expect(vectors<Record<string, number>>('limits')).toMatchObject({ ...limits });
});
