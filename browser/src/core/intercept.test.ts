import { describe, expect, it } from 'vitest';
import { interest } from './intercept';
import type { RequestFacts } from './intercept';

const origin = 'https://a.test';
const request = (url: string, more: Partial<RequestFacts> = {}): RequestFacts => ({
  method: 'GET',
  url: `${origin}${url}`,
  mode: 'no-cors',
  destination: 'script',
  cache: 'default',
  range: false,
  ...more,
});

describe('requests the worker looks at', () => {
  it('are assets by path, whatever the query', () => {
    expect(interest(request('/a.js?v=1#x'), origin)).toEqual({ kind: 'asset', path: '/a.js', later: false });
    expect(interest(request('/a.js'), origin)).toEqual({ kind: 'asset', path: '/a.js', later: true });
    expect(interest(request('/a.mp4', { range: true }), origin)).toEqual({ kind: 'asset', path: '/a.mp4', later: false });
  });
  it('are also the addition, which travels with the page', () => {
    expect(interest(request('/.viral/addition.js?v=1'), origin)).toEqual({ kind: 'asset', path: '/.viral/addition.js', later: false });
  });
  it('are navigations of whole pages, not of frames', () => {
    expect(interest(request('/p?q#f', { mode: 'navigate', destination: 'document' }), origin)).toEqual({ kind: 'navigation', href: `${origin}/p?q`, path: '/p' });
    expect(interest(request('/p', { mode: 'navigate', destination: 'iframe' }), origin)).toBeNull();
  });
  it.each([
    ['another method', request('/a.js', { method: 'POST' })],
    ['another origin', { ...request(''), url: 'https://b.test/a.js' }],
    ['our own URLs', request('/.viral/record')],
    ['a script that reads past the caches', request('/v.json', { destination: '', cache: 'no-store' })],
    ['an only-if-cached request of another mode', request('/a.js', { cache: 'only-if-cached' })],
  ])('are not %s', (_, facts) => {
    expect(interest(facts, origin)).toBeNull();
  });
  it('are still answered from the store when a reload marks them as to be revalidated', () => {
    expect(interest(request('/a.js', { cache: 'no-cache' }), origin)?.kind).toBe('asset');
  });
  it('are not put to peers when they look like calls to an API', () => {
    for (const url of ['/api/items', '/api.v2/items', '/a.bin?x=1']) expect(interest(request(url, { destination: '' }), origin)).toMatchObject({ later: false });
    expect(interest(request('/a.bin', { destination: '', mode: 'same-origin', cache: 'only-if-cached' }), origin)).toMatchObject({ later: false });
  });
});
