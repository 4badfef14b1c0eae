import { describe, expect, it } from 'vitest';
import { isOptedOut, stateCookie } from './cookie';

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
