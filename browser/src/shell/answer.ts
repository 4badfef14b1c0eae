/** What the service worker answers from its store: assets with the headers of their record. */

import type { Digest } from '../core/digest';
import { keyOf } from '../core/intercept';
import { decodeManifest } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import { byteRange } from '../core/range';
import { STORE, assetKey, manifestKey, recordHeaders, stored } from './store';

/** The records of a manifest by path, the page's document first. */
export type Records = ReadonlyMap<string, AssetRecord>;

const manifests = new Map<Digest, Records>();

/** Takes note of a manifest; its records are empty if the blob is none. */
export function learn(manifest: Digest, bytes: Uint8Array<ArrayBuffer>): Records {
  const decoded = decodeManifest(bytes);
  const records = new Map(decoded.ok ? decoded.value.assets.map((record) => [keyOf(record.path), record]) : []);
  if (records.size) manifests.set(manifest, records);
  return records;
}

/** The records of a manifest by path; empty if it is neither known nor stored. */
export async function recordsOf(manifest: Digest): Promise<Records> {
  const known = manifests.get(manifest);
  if (known) return known;
  const bytes = await (await stored(manifestKey(manifest)))?.arrayBuffer();
  return bytes ? learn(manifest, new Uint8Array(bytes)) : new Map();
}

/** Whether a manifest is in memory and has this path. */
export const knows = (manifest: Digest, path: string): boolean => !!manifests.get(manifest)?.has(path);

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
  return new Response(blob.slice(part.from, part.to), partial([...whole.headers], part.from, part.to, blob.size));
}

/** Status and headers of a part. */
export function partial(headers: [string, string][], from: number, to: number, total: number): ResponseInit {
  const all = new Headers(headers);
  all.set('content-length', String(to - from));
  all.set('content-range', `bytes ${from}-${to - 1}/${total}`);
  return { status: 206, headers: all };
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
    if ([assetKey(''), manifestKey('')].some((head) => pathname.startsWith(head)) && !keep.has(pathname)) await cache.delete(key);
  }
  for (const manifest of manifests.keys()) if (!used.has(manifest)) manifests.delete(manifest);
}
