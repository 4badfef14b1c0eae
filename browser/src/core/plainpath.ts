/** How the loader leaves for the plain answer. */

import { stateCookie } from './cookie';

/** Why it leaves: this browser cannot, or keeps nothing for the site, the site has its own service worker, or only this visit went wrong. */
export type PlainCause = 'incapable' | 'storage' | 'own-sw' | 'fault';

/** For how long each holds, in seconds: the browser updates a site's own worker by itself, and an accident is over soon. */
const LASTS_S: Record<PlainCause, number> = { incapable: 604_800, storage: 604_800, 'own-sw': 3_600, fault: 60 };

/** The text to assign to `document.cookie`. An accident looks like `incapable` to the server, only shorter. */
export function plainCookie(cause: PlainCause, protocol: string): string {
  return stateCookie(cause === 'own-sw' ? cause : 'incapable', LASTS_S[cause], protocol);
}

/** The same address with `viral=plain` or `viral=storage` in its query, fragment kept: for browsers that refuse the cookie. */
export function plainUrl(href: string, cause: PlainCause): string {
  const url = new URL(href);
  url.search += `${url.search && '&'}viral=${cause === 'storage' ? cause : 'plain'}`;
  return url.href;
}
