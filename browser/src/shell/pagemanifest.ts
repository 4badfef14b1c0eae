/** Gets a page's manifest and finds out what of it is here already, without asking the network for a single asset. */

import type { Digest } from '../core/digest';
import { ADDITION_PATH, decodeManifest, distinctPieces, pieceIdOf } from '../core/manifest';
import type { AssetRecord, Manifest, Piece } from '../core/manifest';
import { assetPath } from '../core/timing';
import type { Holdings } from './holdings';
import { manifestKey, storedAsset } from './store';
import { digestOf } from './verify';

/** A manifest, its blob and what of it is held. */
export interface PageManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly manifest: Manifest;
  readonly pieces: readonly Piece[];
  held: { pieces: number; bytes: number };
}

/** Whether every piece of it is held. */
export const isComplete = ({ held, pieces }: PageManifest): boolean => held.pieces === pieces.length;

/** Assets looked up at the same time. */
const LOOKUPS = 6;

/** Fetches the manifest blob and verifies it; null if the origin does not have it now. */
export async function fetchManifest(digest: Digest): Promise<PageManifest | null> {
  try {
    const response = await fetch(manifestKey(digest));
    const bytes = new Uint8Array(await response.arrayBuffer());
    const decoded = response.ok && (await digestOf(bytes)) === digest ? decodeManifest(bytes) : null;
    if (!decoded?.ok) return null;
    return { digest, bytes, manifest: decoded.value, pieces: distinctPieces(decoded.value), held: { pieces: 0, bytes: 0 } };
  } catch {
    return null;
  }
}

/**
 * Holds what of the manifest lies in `blobs` (verified), in the store, or in the browser's HTTP cache. `documentUrl` is how this page's
 * own document was asked for.
 */
export async function holdManifest(page: PageManifest, holdings: Holdings, blobs: ReadonlyMap<Digest, Blob>, documentUrl: string): Promise<void> {
  // The cache knows an asset by the URL, query included, under which the page asked for it.
  const asked = new Map(performance.getEntriesByType('resource').map(({ name }) => [assetPath(name, location.origin), name]));
  const queue = page.manifest.assets.map((record, at) => ({ record, urls: [at ? (asked.get(record.path) ?? urlOf(record)) : documentUrl, record.path] }));
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) await hold(next.record, next.urls, holdings, blobs);
  };
  await Promise.all(Array.from({ length: LOOKUPS }, work));
  page.held = holdings.count(page.pieces);
}

/** Where a page asks for an asset, as far as the record tells: the addition's version is the beginning of its digest. */
function urlOf({ path, digest }: AssetRecord): string {
  return path === ADDITION_PATH ? `${path}?v=${digest.slice(0, 16)}` : path;
}

async function hold(record: AssetRecord, urls: readonly string[], holdings: Holdings, blobs: ReadonlyMap<Digest, Blob>): Promise<void> {
  if (record.pieces.every((piece) => holdings.has(pieceIdOf(piece.digest)))) return;
  const known = blobs.get(record.digest) ?? (await storedAsset(record));
  if (known) return holdings.add(record, known, true);
  for (const url of urls) {
    const cached = await fromHttpCache(url);
    if (cached) await holdings.add(record, cached, false);
    if (holdings.hasAsset(record.digest)) return;
  }
}

/** What the browser's HTTP cache has for this URL, fresh or not; never a request. */
export async function fromHttpCache(url: string): Promise<Blob | null> {
  try {
    const response = await fetch(url, { cache: 'only-if-cached', mode: 'same-origin' });
    return response.ok ? await response.blob() : null;
  } catch {
    return null;
  }
}
