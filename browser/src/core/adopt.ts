/**
 * Whose worker asks. The script of a worker carries the page's client id, and so tells whose it is; a blob worker has no script to be seen, and a nested
 * worker in Chromium no client id at all (PLATFORM section 16).
 */

import type { Digest } from './digest';

/** A page that runs a manifest and is open. */
export interface Candidate {
  /** Its client id. */
  readonly page: string;
  /** The digest of the asset that is asked for in its manifest, if that has it. */
  readonly asset: Digest | undefined;
  /** The request's referrer is this page or an asset of its manifest. */
  readonly refers: boolean;
}

/**
 * The page to answer for, or null where that is not sure. Every candidate gives the same bytes, or there is one only; with pages open that run no manifest
 * (`strangers`) the referrer must name one. The page that was looked at last comes first.
 */
export function owner(candidates: readonly Candidate[], strangers: boolean): string | null {
  const named = candidates.filter(({ refers }) => refers);
  const likely = named.length ? named : strangers ? [] : candidates;
  const [first] = likely;
  return first && likely.every(({ asset }) => asset === first.asset) ? first.page : null;
}
