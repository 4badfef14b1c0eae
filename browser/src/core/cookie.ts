/** The cookies that our scripts set and read: what the visitor decided or its browser cannot do, and what it is about to save. */

import { BASE } from './manifest';

/** Whether the visitor opted out: one of several cookies of that name is enough. */
export function isOptedOut(cookies: string): boolean {
  return /(?:^|; )viral=off(?:;|$)/.test(cookies);
}

/** The text to assign to `document.cookie`. What was set over TLS goes back over TLS only. */
export function stateCookie(value: string, ageSeconds: number, protocol: string): string {
  return `viral=${value}; Max-Age=${ageSeconds}; Path=${BASE}; SameSite=Lax${protocol === 'https:' ? '; Secure' : ''}`;
}

/** The text to assign to `document.cookie` when what is at `path` is going to be saved: long enough for the request to leave, and for that path only. */
export function savingCookie(path: string, protocol: string): string {
  return stateCookie('1', 5, protocol).replace('viral=', 'viral-save=').replace('Path=/', `Path=${path.split(';', 1)[0]}`);
}
