import { describe, expect, it } from 'vitest';
import { byteRange } from './range';

describe('a range of bytes', () => {
  it.each([
    ['bytes=0-', 0, 10],
    ['bytes=3-', 3, 10],
    ['bytes=0-0', 0, 1],
    ['bytes=2-5', 2, 6],
    ['bytes=8-99', 8, 10],
    ['bytes=-4', 6, 10],
    ['bytes=-99', 0, 10],
  ])('%s is %i to %i', (header, from, to) => {
    expect(byteRange(header, 10)).toEqual({ from, to });
  });
  it.each(['bytes=10-', 'bytes=5-4', 'bytes=-0', 'bytes=-', 'bytes=0-1,4-5', 'bytes=a-b', 'items=0-1', ''])('%s is for the origin', (header) => {
    expect(byteRange(header, 10)).toBeNull();
  });
  it('of an empty asset is for the origin', () => {
    expect(byteRange('bytes=0-', 0)).toBeNull();
  });
});
