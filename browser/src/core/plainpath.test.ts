import { describe, expect, it } from 'vitest';
import { plainCookie, plainUrl } from './plainpath';

describe('the plain path', () => {
  it('remembers a browser that cannot for a week and an accident for a minute', () => {
    expect(plainCookie('incapable', 'http:')).toBe('viral=incapable; Max-Age=604800; Path=/; SameSite=Lax');
    expect(plainCookie('own-sw', 'http:')).toBe('viral=own-sw; Max-Age=3600; Path=/; SameSite=Lax');
    expect(plainCookie('fault', 'http:')).toBe('viral=incapable; Max-Age=60; Path=/; SameSite=Lax');
  });
  it('adds to the query and keeps the fragment', () => {
    expect(plainUrl('https://a.test/p', 'fault')).toBe('https://a.test/p?viral=plain');
    expect(plainUrl('https://a.test/p?x=1', 'storage')).toBe('https://a.test/p?x=1&viral=storage');
    expect(plainUrl('https://a.test/p?x=1#y?z', 'incapable')).toBe('https://a.test/p?x=1&viral=plain#y?z');
  });
});
