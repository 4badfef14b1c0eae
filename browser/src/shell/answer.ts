/** What the service worker answers: stored assets with the headers of their record, and assets the page gets from its peers. */

import type { Digest } from '../core/digest';
import { decodeManifest } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import { byteRange } from '../core/range';
import { ASK_FIRST_MS, ASK_WHOLE_MS } from './limits';
import { STORE, assetKey, manifestKey, recordHeaders, stored } from './store';
import type { PageAnswer, WorkerToPage } from './workerclient';
import type { WorkerClient } from './workerscope';

const manifests = new Map<Digest, ReadonlyMap<string, AssetRecord>>();

/** The records of a stored manifest by path, the page's document first; empty if it is not stored. */
export async function recordsOf(manifest: Digest): Promise<ReadonlyMap<string, AssetRecord>> {
  const known = manifests.get(manifest);
  if (known) return known;
  const bytes = await (await stored(manifestKey(manifest)))?.arrayBuffer();
  const decoded = bytes && decodeManifest(new Uint8Array(bytes));
  const records = new Map(decoded?.ok ? decoded.value.assets.map((record) => [record.path, record]) : []);
  if (records.size) manifests.set(manifest, records);
  return records;
}

/** The stored asset as its record describes it: two assets with the same bytes may have different headers. */
export async function fromStore(record: AssetRecord | undefined): Promise<Response | undefined> {
  const found = record && (await stored(assetKey(record.digest)));
  if (!found) return undefined;
  const headers = [...recordHeaders(record)];
  const same = headers.length === [...found.headers].length && headers.every(([name, value]) => found.headers.get(name) === value);
  return same ? found : new Response(found.body, { headers });
}

/** The part of a whole answer that `range` asks for; undefined where that is for the origin to say. */
export async function partOf(whole: Response | undefined, range: string | null): Promise<Response | undefined> {
  if (!range || !whole) return whole;
  const blob = await whole.blob();
  const part = byteRange(range, blob.size);
  if (!part) return undefined;
  const { from, to } = part;
  const headers = new Headers(whole.headers);
  headers.set('content-length', String(to - from));
  headers.set('content-range', `bytes ${from}-${to - 1}/${blob.size}`);
  return new Response(blob.slice(from, to), { status: 206, headers });
}

/** The asset from the page's peers; undefined if the page has no better source than the network. */
export function fromPage(client: WorkerClient, path: string): Promise<Response | undefined> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    let timer = setTimeout(resolve, ASK_FIRST_MS);
    port1.onmessage = ({ data }: MessageEvent<PageAnswer>) => {
      clearTimeout(timer);
      if (data.kind === 'coming') timer = setTimeout(resolve, ASK_WHOLE_MS);
      else resolve(data.kind === 'asset' ? new Response(data.blob, { headers: data.headers }) : undefined);
    };
    const ask: WorkerToPage = { kind: 'viral-ask', path };
    client.postMessage(ask, [port2]);
  });
}

/** Deletes stored manifests other than `used`, and the assets that none of those has. */
export async function sweep(used: ReadonlySet<Digest>): Promise<void> {
  const keep = new Set<string>();
  for (const manifest of used) {
    keep.add(manifestKey(manifest));
    for (const record of (await recordsOf(manifest)).values()) keep.add(assetKey(record.digest));
  }
  const cache = await caches.open(STORE);
  for (const key of await cache.keys()) {
    const { pathname } = new URL(key.url);
    if (/^\/\.viral\/(asset|manifest)\//.test(pathname) && !keep.has(pathname)) await cache.delete(key);
  }
  for (const manifest of manifests.keys()) if (!used.has(manifest)) manifests.delete(manifest);
}
