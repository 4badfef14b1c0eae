/** Reads the browser's resource timing: what loaded before `load`, what came later, and what the origin sent for it. */

/** The part of a `PerformanceResourceTiming` that is read here. */
export interface Timing {
  /** Absolute URL. */
  readonly name: string;
  readonly responseEnd: number;
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

/** Distinct asset paths that ended before `load` began, in the order they were asked for, without the page itself. */
export function bootPaths(entries: readonly Timing[], origin: string, page: string, loadStart: number, pathsMax: number): string[] {
  const paths = new Set<string>();
  for (const entry of entries) {
    const path = assetPath(entry.name, origin);
    if (path !== null && path !== page && entry.responseEnd > 0 && entry.responseEnd <= loadStart) paths.add(path);
  }
  return [...paths].slice(0, pathsMax);
}

/**
 * Bytes that the origin sent for this entry. `stored` says whether the service worker answers this path from the store: such an
 * entry cost the origin nothing, although some browsers give it a transfer size.
 */
export function originBytes(entry: Timing, origin: string, stored: (path: string) => boolean): number {
  const path = pathOf(entry.name, origin);
  return path === null || (entry.workerStart > 0 && stored(path)) ? 0 : entry.transferSize;
}
