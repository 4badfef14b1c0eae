/** The store: whole assets and manifests by digest, in Cache Storage. Every failure here degrades to "not stored". */

import type { Digest } from '../core/digest';
import type { AssetRecord } from '../core/manifest';
import { digestOf } from './verify';

/** Name of the only cache of ours. */
export const STORE = 'viral-1';

/** Key of an asset's bytes. */
export const assetKey = (digest: Digest): string => `/.viral/asset/${digest}`;

/** Key of a manifest blob. */
export const manifestKey = (digest: Digest): string => `/.viral/manifest/${digest}`;

/** The response headers of an asset, as its record says. */
export function recordHeaders(record: AssetRecord): Headers {
  const headers = new Headers(record.headers as [string, string][]);
  headers.set('content-type', record.mediaType);
  headers.set('content-length', String(record.len));
  return headers;
}

/** A stored response, or undefined. Looking never creates the store. */
export async function stored(key: string): Promise<Response | undefined> {
  return caches.match(key, { cacheName: STORE }).catch(() => undefined);
}

/** The stored bytes of an asset if they still match its digest: a disk, or another script of the site, may have changed them. */
export async function storedAsset({ digest }: AssetRecord): Promise<Blob | null> {
  try {
    const blob = await (await stored(assetKey(digest)))?.blob();
    return blob && (await digestOf(new Uint8Array(await blob.arrayBuffer()))) === digest ? blob : null;
  } catch {
    return null;
  }
}

/** Writes one response; true if it is kept. */
export async function keep(key: string, response: Response): Promise<boolean> {
  try {
    await (await caches.open(STORE)).put(key, response);
    return true;
  } catch {
    return false;
  }
}

/** Stores a whole, verified asset. */
export function keepAsset(record: AssetRecord, blob: Blob): Promise<boolean> {
  return keep(assetKey(record.digest), new Response(blob, { headers: recordHeaders(record) }));
}
