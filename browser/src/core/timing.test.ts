import { describe, expect, it } from 'vitest';
import { assetPath, isWhole, originBytes, seededPath, usedPaths } from './timing';
import type { Timing } from './timing';

const origin = 'https://a.test';
const entry = (name: string, startTime = 5, more: Partial<Timing> = {}): Timing => ({
  name,
  startTime,
  transferSize: 1000,
  decodedBodySize: 900,
  workerStart: 0,
  ...more,
});

describe('resource timing', () => {
  it('names the assets of this origin only, without query, and none of ours', () => {
    expect(assetPath(`${origin}/a%20b.js?v=1#x`, origin)).toBe('/a%20b.js');
    expect(assetPath('https://b.test/a.js', origin)).toBeNull();
    expect(assetPath('https://a.test.evil/a.js', origin)).toBeNull();
    expect(assetPath(`${origin}/.viral/addition.js`, origin)).toBeNull();
    expect(seededPath(`${origin}/.viral/addition.js?v=1`, origin)).toBe('/.viral/addition.js');
    expect(seededPath(`${origin}/.viral/record`, origin)).toBeNull();
    expect(seededPath(`${origin}/a.js?v=1`, origin)).toBe('/a.js');
  });
  it('names what was used in the order in which it was asked for, once each, without the page itself', () => {
    const entries = [entry(`${origin}/late.js`, 9), ...['/b.js', '/a.js', '/b.js', '/page'].map((path, at) => entry(`${origin}${path}`, at))];
    expect(usedPaths(entries, origin, '/page')).toEqual(['/b.js', '/a.js', '/late.js']);
  });
  it('knows what the cache of the browser may have: what came whole', () => {
    const whole = (more: Partial<Timing>): boolean => isWhole(entry(`${origin}/a.js`, 1, more));
    expect([{}, { responseStatus: 200 }, { responseStatus: 404 }, { responseStatus: 206 }, { decodedBodySize: 0 }].map(whole)).toEqual([true, true, false, false, false]);
  });
  it('counts nothing for what the worker answered from the store, and all for the rest', () => {
    const stored = (path: string): boolean => path === '/a.js';
    expect(originBytes(entry(`${origin}/a.js`, 5, { workerStart: 1 }), origin, stored)).toBe(0);
    expect(originBytes(entry(`${origin}/a.js`), origin, stored)).toBe(1000);
    expect(originBytes(entry(`${origin}/b.js`, 5, { workerStart: 1 }), origin, stored)).toBe(1000);
    expect(originBytes(entry('https://b.test/a.js'), origin, stored)).toBe(0);
    const addition = entry(`${origin}/.viral/addition.js?v=1`, 5, { workerStart: 1 });
    expect(originBytes(addition, origin, stored)).toBe(1000);
    expect(originBytes(addition, origin, (path) => path === '/.viral/addition.js')).toBe(0);
  });
});
