/** Reads the browser's resource timing: what the page used, and what the origin sent for it. */

import { keyOf } from './intercept';
import { ADDITION_PATH } from './manifest';

/** The part of a `PerformanceResourceTiming` that is read here. */
export interface Timing {
  /** Absolute URL. */
  readonly name: string;
  readonly startTime: number;
  /** Not told by every browser. */
  readonly responseStatus?: number;
  readonly transferSize: number;
  readonly decodedBodySize: number;
  readonly workerStart: number;
}

/** Path of a same-origin URL; null for another origin. */
function pathOf(url: string, origin: string): string | null {
  return url.startsWith(`${origin}/`) ? (url.slice(origin.length).split(/[?#]/, 1)[0] ?? '') : null;
}

/** Path of a same-origin URL that may name an asset of the site; null for another origin and for our own URLs. */
export function assetPath(url: string, origin: string): string | null {
  const path = pathOf(url, origin);
  return path?.startsWith('/.viral/') ? null : path;
}

/** The path of what a seeder gives of a page: an asset of the site, or the addition. */
export function seededPath(url: string, origin: string): string | null {
  const path = pathOf(url, origin);
  return path === ADDITION_PATH ? path : assetPath(url, origin);
}

/** Distinct asset paths in the order in which they were asked for, without the page itself. */
export function usedPaths(entries: readonly Timing[], origin: string, page: string): string[] {
  const paths = new Set<string>();
  for (const { name } of [...entries].sort((a, b) => a.startTime - b.startTime)) {
    const path = assetPath(name, origin);
    if (path !== null && path !== page) paths.add(path);
  }
  return [...paths];
}

/** Whether something was loaded whole: the browser's cache may have it. */
export function isWhole({ decodedBodySize, responseStatus }: Timing): boolean {
  return decodedBodySize > 0 && (responseStatus ?? 200) === 200;
}

/**
 * Bytes that the origin sent for this entry. `answered` says whether the service worker answers this path from the store or from peers: such an
 * entry cost the origin nothing, although some browsers give it a transfer size.
 */
export function originBytes(entry: Timing, origin: string, answered: (path: string) => boolean): number {
  const path = pathOf(entry.name, origin);
  return path === null || (entry.workerStart > 0 && answered(keyOf(path))) ? 0 : entry.transferSize;
}
