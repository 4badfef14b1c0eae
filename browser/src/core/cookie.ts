/** The cookies that our scripts set and read: what the visitor decided or its browser cannot do, and what it is about to save. */

import { BASE } from './manifest';

/** Whether the visitor opted out: one of several cookies of that name is enough. */
export function isOptedOut(cookies: string): boolean {
  return /(?:^|; )viral=off(?:;|$)/.test(cookies);
}

/** The text to assign to `document.cookie`. What was set over TLS goes back over TLS only. */
export function stateCookie(value: string, ageSeconds: number, protocol: string): string {
  return cookie(`viral=${value}`, ageSeconds, BASE, protocol);
}

/** The text to assign to `document.cookie` when what is at `path` is going to be saved: long enough for the request to leave, and for that path only. */
export function savingCookie(path: string, protocol: string): string {
  return cookie('viral-save=1', 5, path.split(';', 1)[0], protocol);
}

const cookie = (pair: string, ageSeconds: number, path: string | undefined, protocol: string): string =>
  `${pair}; Max-Age=${ageSeconds}; Path=${path}; SameSite=Lax${protocol === 'https:' ? '; Secure' : ''}`;
