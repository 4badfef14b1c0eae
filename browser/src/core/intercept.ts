/** Which requests the service worker looks at. Everything else goes its way as if there were no worker. */

import { ADDITION_PATH } from './manifest';

/** What is read of a request. */
export interface RequestFacts {
  readonly method: string;
  readonly url: string;
  readonly mode: string;
  readonly destination: string;
  readonly cache: string;
  readonly range: boolean;
}

/** A page navigation, an asset of a page, or nothing of ours. `path` is percent-encoded, without query and fragment. */
export type Interest =
  | { readonly kind: 'navigation'; readonly href: string; readonly path: string }
  | { readonly kind: 'asset'; readonly path: string; readonly later: boolean }
  | null;

/**
 * Classifies a request seen by the worker of `origin`. `later` says whether the page may be asked for an asset outside its
 * manifest: only for what looks like a whole file without a query, so that calls to an API lose no time.
 */
export function interest(request: RequestFacts, origin: string): Interest {
  if (request.method !== 'GET' || !request.url.startsWith(`${origin}/`)) return null;
  const href = request.url.split('#', 1)[0] ?? '';
  const [path = '', query] = href.slice(origin.length).split('?', 2);
  if (path.startsWith('/.viral/') && path !== ADDITION_PATH) return null;
  if (request.mode === 'navigate') return request.destination === 'document' ? { kind: 'navigation', href, path } : null;
  // A script that reads past the caches wants what the origin has now.
  if (request.destination === '' && ['no-store', 'reload', 'no-cache'].includes(request.cache)) return null;
  if (request.cache === 'only-if-cached' && request.mode !== 'same-origin') return null;
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { kind: 'asset', path, later: !request.range && query === undefined && name.includes('.') && request.cache !== 'only-if-cached' };
}
