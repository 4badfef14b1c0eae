/** Finds pieces of a new version in the stored assets of older ones, so that only what changed travels. */

import type { PieceId } from '../core/digest';
import { decodeManifest, pieceIdOf } from '../core/manifest';
import { MANIFESTS_KEPT } from './limits';
import { STORE, storedAsset } from './store';
import { digestOf } from './verify';

/** Bytes of those of the `missing` pieces that lie in the store, verified. */
export async function olderPieces(missing: ReadonlySet<PieceId>): Promise<Map<PieceId, Uint8Array<ArrayBuffer>>> {
  const found = new Map<PieceId, Uint8Array<ArrayBuffer>>();
  try {
    if (!(await caches.has(STORE))) return found;
    const cache = await caches.open(STORE);
    const keys = (await cache.keys()).filter((key) => key.url.includes('/.viral/manifest/'));
    for (const key of keys.slice(-MANIFESTS_KEPT)) {
      const blob = await (await cache.match(key))?.arrayBuffer();
      const manifest = blob && decodeManifest(new Uint8Array(blob));
      if (!manifest?.ok) continue;
      for (const record of manifest.value.assets) {
        let at = 0;
        const wanted = record.pieces.flatMap((piece) => {
          const from = at;
          at += piece.len;
          const id = pieceIdOf(piece.digest);
          return missing.has(id) && !found.has(id) ? [{ id, digest: piece.digest, from, to: at }] : [];
        });
        const asset = wanted.length ? await storedAsset(record) : null;
        for (const { id, digest, from, to } of asset ? wanted : []) {
          const bytes = new Uint8Array((await asset?.slice(from, to).arrayBuffer()) ?? []);
          if ((await digestOf(bytes)) === digest) found.set(id, bytes);
        }
      }
    }
  } catch {
    // A store that cannot be read holds nothing.
  }
  return found;
}
