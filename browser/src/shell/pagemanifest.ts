/** Gets a page's manifest and finds out what of it is here already, without asking the network for a single asset. */

import type { Digest } from '../core/digest';
import { keyOf } from '../core/intercept';
import { decodeManifest, distinctPieces, pieceIdOf } from '../core/manifest';
import type { Manifest, Piece } from '../core/manifest';
import type { Holdings } from './holdings';
import { manifestKey, stored, storedAsset } from './store';
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

/** The manifest blob, verified: from the store, else from the origin; null if neither has it now. */
export async function fetchManifest(digest: Digest): Promise<PageManifest | null> {
  try {
    const response = (await stored(manifestKey(digest))) ?? (await fetch(manifestKey(digest)));
    const bytes = new Uint8Array(await response.arrayBuffer());
    const decoded = response.ok && (await digestOf(bytes)) === digest ? decodeManifest(bytes) : null;
    if (!decoded?.ok) return null;
    return { digest, bytes, manifest: decoded.value, pieces: distinctPieces(decoded.value), held: { pieces: 0, bytes: 0 } };
  } catch {
    return null;
  }
}

/** Where a page's assets may lie. */
export interface Whereabouts {
  /** Verified assets by digest. */
  readonly blobs: ReadonlyMap<Digest, Blob>;
  /** URLs by path under which the page loaded something whole, and so the browser's HTTP cache has it. */
  readonly loaded: ReadonlyMap<string, string>;
}

/** Holds what of the manifest is here. Nothing is looked for that the page did not load: a failed look-up shows in the console. */
export async function holdManifest(page: PageManifest, holdings: Holdings, { blobs, loaded }: Whereabouts): Promise<void> {
  const queue = [...page.manifest.assets];
  const work = async (): Promise<void> => {
    for (let record = queue.shift(); record; record = queue.shift()) {
      if (record.pieces.every((piece) => holdings.has(pieceIdOf(piece.digest)))) continue;
      const url = loaded.get(keyOf(record.path));
      const known = blobs.get(record.digest) ?? (await storedAsset(record));
      const blob = known ?? (url === undefined ? null : await fromHttpCache(url));
      if (blob) await holdings.add(record, blob, !!known);
    }
  };
  await Promise.all(Array.from({ length: LOOKUPS }, work));
  page.held = holdings.count(page.pieces);
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
