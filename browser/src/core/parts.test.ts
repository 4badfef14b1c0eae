import { describe, expect, it } from 'vitest';
import { MANIFEST_LEN_MAX } from './limits';
import { Parts } from './parts';

const manifest = '0'.repeat(64);
const part = (offset: number, total: number, ...body: number[]) => ({ manifest, offset, total, body: Uint8Array.from(body) });

describe('parts of a manifest', () => {
  it('are put together in order', () => {
    const parts = new Parts();
    expect(parts.handlePart(part(0, 3, 1, 2))).toBeNull();
    expect(parts.handlePart(part(2, 3, 3))).toEqual(Uint8Array.of(1, 2, 3));
  });
  it('come whole in one part', () => {
    expect(new Parts().handlePart(part(0, 1, 9))).toEqual(Uint8Array.of(9));
  });
  it('with a gap, an overlap, another total or too much in them are out of order', () => {
    for (const second of [part(3, 4, 4), part(1, 4, 2), part(2, 5, 3), part(2, 4, 3, 4, 5)]) {
      const parts = new Parts();
      parts.handlePart(part(0, 4, 1, 2));
      expect(parts.handlePart(second)).toBeUndefined();
    }
  });
  it('of a manifest over the limit are refused, one at the limit begins', () => {
    expect(new Parts().handlePart(part(0, MANIFEST_LEN_MAX + 1, 1))).toBeUndefined();
    expect(new Parts().handlePart(part(0, MANIFEST_LEN_MAX, 1))).toBeNull();
  });
  it('never begin in the middle', () => {
    expect(new Parts().handlePart(part(1, 2, 1))).toBeUndefined();
  });
});
