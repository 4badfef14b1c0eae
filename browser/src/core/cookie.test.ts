import { describe, expect, it } from 'vitest';
import { isOptedOut, savingCookie, stateCookie } from './cookie';

describe('the state cookie', () => {
  it('says that the visitor opted out, wherever it stands and whatever stands beside it', () => {
    for (const cookies of ['viral=off', 'a=b; viral=off', 'viral=incapable; viral=off; c=d', 'viral=off; viral=incapable']) expect(isOptedOut(cookies)).toBe(true);
    for (const cookies of ['', 'viral=offer', 'notviral=off', 'a=viral=off', 'viral=incapable']) expect(isOptedOut(cookies)).toBe(false);
  });
  it('goes back over TLS only where it was set over TLS', () => {
    expect(stateCookie('off', 60, 'http:')).toBe('viral=off; Max-Age=60; Path=/; SameSite=Lax');
    expect(stateCookie('off', 60, 'https:')).toBe('viral=off; Max-Age=60; Path=/; SameSite=Lax; Secure');
  });
});

describe('the cookie of what is saved', () => {
  it('goes with that path only, and with nothing else of the address', () => {
    expect(savingCookie('/a/page.html', 'http:')).toBe('viral-save=1; Max-Age=5; Path=/a/page.html; SameSite=Lax');
    expect(savingCookie("/a/$&$'.html", 'http:')).toBe("viral-save=1; Max-Age=5; Path=/a/$&$'.html; SameSite=Lax");
    expect(savingCookie('/a;Domain=b', 'https:')).toBe('viral-save=1; Max-Age=5; Path=/a; SameSite=Lax; Secure');
  });
});
