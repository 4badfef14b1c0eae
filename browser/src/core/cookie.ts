/** The cookie that holds what the visitor decided or its browser cannot do. */

import { BASE } from './manifest';

/** Whether the visitor opted out: one of several cookies of that name is enough. */
export function isOptedOut(cookies: string): boolean {
  return /(?:^|; )viral=off(?:;|$)/.test(cookies);
}

/** The text to assign to `document.cookie`. What was set over TLS goes back over TLS only. */
export function stateCookie(value: string, ageSeconds: number, protocol: string): string {
  return `viral=${value}; Max-Age=${ageSeconds}; Path=${BASE}; SameSite=Lax${protocol === 'https:' ? '; Secure' : ''}`;
}
