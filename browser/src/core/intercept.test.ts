import { describe, expect, it } from 'vitest';
import type { Binding } from './bindings';
import { interest, isOfSite, keyOf } from './intercept';
import type { KnownInside, RequestFacts } from './intercept';

const origin = 'https://a.test';
const request = (url: string, more: Partial<RequestFacts> = {}): RequestFacts => ({
  method: 'GET',
  url: `${origin}${url}`,
  mode: 'no-cors',
  destination: 'script',
  cache: 'default',
  ...more,
});

describe('requests the worker looks at', () => {
  it('are assets by path, whatever the query', () => {
    const asset = { kind: 'asset', path: '/a.js', onDemand: true, fresh: false };
    expect(interest(request('/a.js?v=1#x'), origin)).toEqual(asset);
    expect(interest(request('/a.js'), origin)).toEqual(asset);
  });
  it('are also the addition, which travels with the page', () => {
    expect(interest(request('/.viral/addition.js?v=1'), origin)).toMatchObject({ kind: 'asset', path: '/.viral/addition.js' });
  });
  it('are navigations of whole pages, not of frames', () => {
    expect(interest(request('/p?q#f', { mode: 'navigate', destination: 'document' }), origin)).toEqual({ kind: 'navigation', href: `${origin}/p?q`, path: '/p' });
    expect(interest(request('/p', { mode: 'navigate', destination: 'iframe' }), origin)).toBeNull();
  });
  it.each([
    ['another method', request('/a.js', { method: 'POST' })],
    ['another origin', { ...request(''), url: 'https://b.test/a.js' }],
    ['our own URLs', request('/.viral/record')],
    ['an only-if-cached request of another mode', request('/a.js', { cache: 'only-if-cached' })],
  ])('are not %s', (_, facts) => {
    expect(interest(facts, origin)).toBeNull();
  });
  it('are still answered from the store when a reload marks them as to be revalidated', () => {
    expect(interest(request('/a.js', { cache: 'no-cache' }), origin)).toMatchObject({ kind: 'asset', fresh: false });
  });
  it('are known as fresh when a script reads past the caches', () => {
    for (const cache of ['no-store', 'reload', 'no-cache']) expect(interest(request('/v.json', { destination: '', cache }), origin)).toMatchObject({ fresh: true });
  });
  it('are not put to peers when they look like calls to an API', () => {
    for (const url of ['/api/items', '/api.v2/items']) expect(interest(request(url, { destination: '' }), origin)).toMatchObject({ onDemand: false });
    expect(interest(request('/a.bin', { destination: '', mode: 'same-origin', cache: 'only-if-cached' }), origin)).toMatchObject({ onDemand: false });
  });
  it('have one path however it is spelled', () => {
    expect(keyOf('/%5Bslug%5D/%6fk.js')).toBe(keyOf('/[slug]/ok.js'));
    expect(keyOf('/a%2Fb')).not.toBe(keyOf('/a/b'));
    expect(keyOf('/%zz')).toBe('/%zz');
  });
});

describe("requests inside a worker of the site's own", () => {
  const asset = { kind: 'asset', path: '/a.js', onDemand: true, fresh: false } as const;
  const navigation = { kind: 'navigation', href: `${origin}/`, path: '/' } as const;
  const binding: Binding = { manifest: 'm', page: 'p', at: 0, kind: 'written' };
  const known = (more: Partial<KnownInside>): KnownInside => ({ loaded: true, reloads: false, binding, listed: true, ...more });
  it('are ours where the manifest of the page has them', () => {
    expect(isOfSite(asset, known({}))).toBe(false);
    expect(isOfSite(asset, known({ listed: false }))).toBe(true);
    expect(isOfSite({ ...asset, fresh: true }, known({}))).toBe(true);
  });
  it("are the site's while we do not know, and of pages that are none of ours", () => {
    expect(isOfSite(asset, known({ loaded: false }))).toBe(true);
    expect(isOfSite(asset, known({ binding: undefined, listed: false }))).toBe(true);
  });
  it('are not shown to the site where it would have no worker', () => {
    const hidden = { ...binding, hidden: true };
    expect(isOfSite(asset, known({ binding: hidden, listed: false }))).toBe(false);
    expect(isOfSite({ ...asset, fresh: true }, known({ binding: hidden }))).toBe(false);
  });
  it("are the site's if they are navigations, but for the reload that puts a page in place", () => {
    expect(isOfSite(navigation, known({}))).toBe(true);
    expect(isOfSite(navigation, known({ reloads: true }))).toBe(false);
  });
});
