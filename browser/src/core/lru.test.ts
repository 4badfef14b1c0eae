import { describe, expect, it } from 'vitest';
import { Lru } from './lru';

describe('the cache of compressed pieces', () => {
  it('forgets what was not used for longest', () => {
    const lru = new Lru<string, number>(10);
    lru.set('a', 1, 5);
    lru.set('b', 2, 5);
    lru.get('a');
    lru.set('c', 3, 5);
    expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([1, undefined, 3]);
  });
  it('keeps a value as large as the whole and refuses a larger one', () => {
    const lru = new Lru<string, number>(10);
    lru.set('a', 1, 10);
    lru.set('b', 2, 11);
    expect([lru.get('a'), lru.get('b')]).toEqual([1, undefined]);
  });
  it('counts a replaced value once', () => {
    const lru = new Lru<string, number>(10);
    lru.set('a', 1, 6);
    lru.set('a', 2, 6);
    lru.set('b', 3, 4);
    expect([lru.get('a'), lru.get('b')]).toEqual([2, 3]);
  });
});
