/** Gets a page's manifest and finds out what of it is here already, without asking the network for a single asset. */

import type { Digest } from '../core/digest';
import { decodeManifest, distinctPieces, pieceIdOf } from '../core/manifest';
import type { Manifest, Piece } from '../core/manifest';
import type { PieceStore } from './piecestore';
import { LOOK_UPS, MANIFEST_MS } from './limits';
import { request } from './request';
import { CACHED, manifestKey, stored, storedAsset } from './store';
import { digestOf } from './verify';

/** A manifest, its blob and what of it is held. */
export interface PageManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly manifest: Manifest;
  readonly pieces: readonly Piece[];
  held: { pieces: number; bytes: number };
  /** Whether an earlier visit found all of it in the browser's own cache. */
  readonly cached?: boolean;
}

/** Whether every piece of it is held. */
export const isComplete = ({ held, pieces }: PageManifest): boolean => held.pieces === pieces.length;

/** The manifest blob, verified: from the store, else from the origin; null if neither has it now. */
export async function fetchManifest(digest: Digest): Promise<PageManifest | null> {
  try {
    const response = (await stored(manifestKey(digest))) ?? (await request(manifestKey(digest), { signal: AbortSignal.timeout(MANIFEST_MS) }));
    const bytes = new Uint8Array(await response.arrayBuffer());
    const decoded = response.ok && (await digestOf(bytes)) === digest ? decodeManifest(bytes) : null;
    if (!decoded?.ok) return null;
    return { digest, bytes, manifest: decoded.value, pieces: distinctPieces(decoded.value), held: { pieces: 0, bytes: 0 }, cached: response.headers.has(CACHED) };
  } catch {
    return null;
  }
}

/** Holds what of the manifest lies in memory (`blobs`, verified) or in the store. */
export async function holdManifest({ manifest }: PageManifest, pieceStore: PieceStore, blobs: ReadonlyMap<Digest, Blob>): Promise<void> {
  const queue = [...manifest.assets];
  const work = async (): Promise<void> => {
    for (let record = queue.shift(); record; record = queue.shift()) {
      if (record.pieces.every((piece) => pieceStore.has(pieceIdOf(piece.digest)))) continue;
      const blob = blobs.get(record.digest) ?? (await storedAsset(record));
      if (blob) await pieceStore.add(record, blob, true);
    }
  };
  await Promise.all(Array.from({ length: LOOK_UPS }, work));
}

/** What the browser's HTTP cache has for this URL, fresh or not; never a request. */
export async function fromHttpCache(url: string): Promise<Blob | null> {
  try {
    const response = await request(url, { cache: 'only-if-cached', mode: 'same-origin' });
    return response.ok ? await response.blob() : null;
  } catch {
    return null;
  }
}
