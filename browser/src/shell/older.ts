/** Finds pieces of a new version in the stored assets of older ones, so that only what changed travels. */

import type { PieceId } from '../core/digest';
import { decodeManifest, pieceIdOf } from '../core/manifest';
import { STORE, storedAsset } from './store';

/** Bytes of those of the `missing` pieces that lie in the store, where nothing unverified ever came. */
export async function olderPieces(missing: ReadonlySet<PieceId>): Promise<Map<PieceId, Uint8Array<ArrayBuffer>>> {
  const found = new Map<PieceId, Uint8Array<ArrayBuffer>>();
  const cache = missing.size && (await caches.has(STORE)) && (await caches.open(STORE));
  for (const key of cache ? await cache.keys() : []) {
    const blob = key.url.includes('/.viral/manifest/') && (await (await caches.match(key))?.arrayBuffer());
    const manifest = blob && decodeManifest(new Uint8Array(blob));
    for (const record of manifest && manifest.ok ? manifest.value.assets : []) {
      const asset = record.pieces.some(({ digest }) => missing.has(pieceIdOf(digest))) && (await storedAsset(record));
      let at = 0;
      for (const { len, digest } of asset ? record.pieces : []) {
        const id = pieceIdOf(digest);
        if (asset && missing.has(id)) found.set(id, new Uint8Array(await asset.slice(at, at + len).arrayBuffer()));
        at += len;
      }
    }
  }
  return found;
}
