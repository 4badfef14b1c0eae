/** Leaves the thin page for the plain one. Whatever happened, the visitor gets the app. */

import { ORIGIN_PROBE_MS } from '../core/generated/sessionPolicy';
import { plainCookie, plainUrl } from '../core/plainpath';
import type { PlainCause } from '../core/plainpath';
import { wait } from './clock';
import { request } from './request';

/** Navigates to the plain answer, once the origin can give one: before that a reload would only show the browser's own error page. */
export async function goPlain(cause: PlainCause): Promise<void> {
  const cookie = plainCookie(cause, location.protocol);
  document.cookie = cookie;
  while (!(await request('/.viral/worker.js', { method: 'HEAD', cache: 'no-store' }).catch(() => null))) await wait(ORIGIN_PROBE_MS);
  if (document.cookie.includes(cookie.split(';', 1)[0]!)) location.reload();
  else location.replace(plainUrl(location.href, cause));
}
