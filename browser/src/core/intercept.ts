/** Which requests the service worker looks at. Everything else goes its way as if there were no worker. */

import type { Binding } from './bindings';
import { ADDITION_PATH } from './manifest';

/** What is read of a request. */
export interface RequestFacts {
  readonly method: string;
  readonly url: string;
  readonly mode: string;
  readonly destination: string;
  readonly cache: string;
}

/**
 * A page navigation, an asset of a page, or nothing of ours. `path` is without query and fragment, that of an asset in the one spelling of [`keyOf`].
 */
export type Interest =
  | { readonly kind: 'navigation'; readonly href: string; readonly path: string }
  | {
      readonly kind: 'asset';
      readonly path: string;
      /** The page may be asked for it though its manifest does not have it: it looks like a file, not like a call to an API. */
      readonly onDemand: boolean;
      /** A script reads past the caches: it wants what the origin has now. */
      readonly fresh: boolean;
    }
  | null;

/** Classifies a request seen by the worker of `origin`. */
export function interest(request: RequestFacts, origin: string): Interest {
  if (request.method !== 'GET' || !request.url.startsWith(`${origin}/`)) return null;
  const href = request.url.split('#', 1)[0] ?? '';
  const [path = ''] = href.slice(origin.length).split('?', 1);
  if (path.startsWith('/.viral/') && path !== ADDITION_PATH) return null;
  if (request.mode === 'navigate') return request.destination === 'document' ? { kind: 'navigation', href, path } : null;
  const { cache } = request;
  if (cache === 'only-if-cached' && request.mode !== 'same-origin') return null;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const fresh = request.destination === '' && ['no-store', 'reload', 'no-cache'].includes(cache);
  return { kind: 'asset', path: keyOf(path), onDemand: name.includes('.') && cache !== 'only-if-cached', fresh };
}

/** What is known at once, while a request waits, inside a worker of the site's own. */
export interface KnownInside {
  /** Our memory was read in. */
  readonly loaded: boolean;
  /** The navigation is the reload that puts a page in place. */
  readonly reloads: boolean;
  /** What the client runs. */
  readonly binding: Binding | undefined;
  /** The client's manifest has this path. */
  readonly listed: boolean;
}

/** Whether a request, seen inside a worker of the site's own that answers requests, is that worker's: all of it but what a page's manifest has, and what the site would see no worker of. */
export function isOfSite(found: NonNullable<Interest>, { loaded, reloads, binding, listed }: KnownInside): boolean {
  if (!loaded) return true;
  if (found.kind === 'navigation') return !reloads;
  return !binding?.hidden && !(binding && listed && !found.fresh);
}

/** One spelling of a path, whatever its author escaped. */
export function keyOf(path: string): string {
  try {
    return path.split('/').map((segment) => encodeURIComponent(decodeURIComponent(segment))).join('/');
  } catch {
    return path;
  }
}
