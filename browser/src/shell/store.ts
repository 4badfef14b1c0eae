/** The store: whole assets and manifests by digest, in Cache Storage. Every failure here degrades to "not stored". */

import type { Digest } from '../core/digest';
import type { AssetRecord } from '../core/manifest';
import { now, within } from './clock';
import { STORE_ANSWER_MS, STORE_SILENT_MS } from './limits';
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

/** Until then the store is not asked: it did not answer. */
let silentUntil = 0;

/** What `work` finds in the store; undefined where that fails or takes too long, and for a while after that at once. */
async function lookUp<T>(work: () => Promise<T>): Promise<T | undefined> {
  if (now() < silentUntil) return undefined;
  const found = await within(STORE_ANSWER_MS, work().catch(() => undefined));
  if (found === null) silentUntil = now() + STORE_SILENT_MS;
  return found ?? undefined;
}

/** A stored response, or undefined. Looking never creates the store. */
export function stored(key: string): Promise<Response | undefined> {
  return lookUp(() => caches.match(key, { cacheName: STORE }));
}

/** The stored bytes of an asset if they still match its digest: a disk, or another script of the site, may have changed them. */
export async function storedAsset({ digest }: AssetRecord): Promise<Blob | null> {
  const blob = await (await stored(assetKey(digest)))?.blob().catch(() => null);
  return blob && (await digestOf(new Uint8Array(await blob.arrayBuffer()))) === digest ? blob : null;
}

/** Header of a manifest in the store: but for the document, its assets lie in the browser's own cache. */
export const CACHED = 'viral-cached';

/** Writes one response; true if it is kept. */
export async function keep(key: string, response: Response): Promise<boolean> {
  if (now() < silentUntil) return false;
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
