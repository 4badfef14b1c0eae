/** How the loader leaves for the plain answer. */

/** Why it leaves: this browser cannot, the site has its own service worker, or only this visit went wrong. */
export type PlainCause = 'incapable' | 'own-sw' | 'fault';

/** Seconds a cookie holds: a browser that cannot is asked again after a week, an accident is forgotten after a minute. */
const AGE_S: Readonly<Record<PlainCause, number>> = { incapable: 604_800, 'own-sw': 604_800, fault: 60 };

/** The text to assign to `document.cookie`. An accident looks like `incapable` to the server, only shorter. */
export function plainCookie(cause: PlainCause): string {
  return `viral=${plainCookieValue(cause)}; Max-Age=${AGE_S[cause]}; Path=/; SameSite=Lax`;
}

/** The value by which the loader sees whether the cookie stuck. */
export function plainCookieValue(cause: PlainCause): string {
  return cause === 'own-sw' ? cause : 'incapable';
}

/** The same address with `viral=plain` in its query, fragment kept: for browsers that refuse the cookie. */
export function plainUrl(href: string): string {
  const hash = href.indexOf('#');
  const base = hash < 0 ? href : href.slice(0, hash);
  return `${base}${base.includes('?') ? '&' : '?'}viral=plain${hash < 0 ? '' : href.slice(hash)}`;
}
