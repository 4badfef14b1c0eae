import { describe, expect, it } from 'vitest';
import { compressible, worthCompressing } from './compressible';

describe('compression of pieces', () => {
  it.each(['text/html; charset=utf-8', 'text/javascript', 'application/json', 'application/manifest+json', 'image/svg+xml', 'application/wasm', 'font/ttf'])('is tried for %s', (type) => {
    expect(compressible(type)).toBe(true);
  });
  it.each(['image/png', 'font/woff2', 'application/octet-stream', 'application/gzip', 'video/mp4', ''])('is not tried for %s', (type) => {
    expect(compressible(type)).toBe(false);
  });
  it('must save a tenth', () => {
    expect([worthCompressing(100, 90), worthCompressing(100, 91)]).toEqual([true, false]);
  });
});
