import { describe, expect, it } from 'vitest';
import { compressible, worthPacking } from './compressible';

describe('compression of pieces', () => {
  it.each(['text/html; charset=utf-8', 'text/javascript', 'application/json', 'application/manifest+json', 'image/svg+xml', 'application/wasm', 'font/ttf'])('is tried for %s', (type) => {
    expect(compressible(type)).toBe(true);
  });
  it.each(['image/png', 'font/woff2', 'application/octet-stream', 'application/gzip', 'video/mp4', ''])('is not tried for %s', (type) => {
    expect(compressible(type)).toBe(false);
  });
  it('must save a tenth', () => {
    expect([worthPacking(100, 90), worthPacking(100, 91)]).toEqual([true, false]);
  });
});
