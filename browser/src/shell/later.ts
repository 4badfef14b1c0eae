/** What a page of a full answer used and its manifest does not have: it is held for others straight from the browser's HTTP cache. */

import { decodeManifest } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import { RECORD_PATHS_MAX } from '../core/limits';
import type { Holdings } from './holdings';
import { LATER_ASSETS_MAX, LATER_ASSET_LEN_MIN, LATER_DELAY_MS, RECORDS_MAX } from './limits';
import { fromHttpCache } from './pagemanifest';

/** The assets of one page outside its manifest. */
export class Later {
  readonly #holdings: Holdings;
  /** What the origin said of a path; null: not worth a peer's while, or not an asset. */
  readonly #records = new Map<string, AssetRecord | null>();
  /** URL by path of what the page used; empty once it was looked at. */
  readonly #used = new Map<string, string>();
  readonly #isListed: (path: string) => boolean | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `isListed` says whether the page's manifest has a path; undefined while the manifest is not known. */
  constructor(holdings: Holdings, isListed: (path: string) => boolean | undefined) {
    this.#holdings = holdings;
    this.#isListed = isListed;
  }

  /** The page or a worker of it has loaded this whole. */
  handleUsed(path: string, url: string): void {
    if (this.#used.size >= LATER_ASSETS_MAX || this.#used.has(path)) return;
    this.#used.set(path, url);
    this.wake();
  }

  /** Looks again soon: something was used, or the manifest is known now. */
  wake(): void {
    this.#timer ??= setTimeout(() => void this.#hold(), LATER_DELAY_MS);
  }

  /** Learns the records and holds the assets. */
  async #hold(): Promise<void> {
    this.#timer = undefined;
    const fresh = [...this.#used].filter(([, url]) => url);
    if (fresh.some(([path]) => this.#isListed(path) === undefined)) return;
    await this.#learn(fresh.flatMap(([path]) => (this.#isListed(path) ? [] : path)));
    for (const [path, url] of fresh) {
      this.#used.set(path, '');
      const record = this.#records.get(path);
      const blob = record && !this.#holdings.hasAsset(record.digest) ? await fromHttpCache(url) : null;
      if (record && blob) await this.#holdings.add(record, blob, false);
    }
  }

  /** Asks the origin for the records not asked for yet. */
  async #learn(all: readonly string[]): Promise<void> {
    const paths = all.filter((path) => !this.#records.has(path)).slice(0, RECORD_PATHS_MAX);
    if (!paths.length) return;
    if (this.#records.size > RECORDS_MAX) this.#records.clear();
    try {
      const response = await fetch('/.viral/record', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ paths }),
      });
      const decoded = decodeManifest(new Uint8Array(await response.arrayBuffer()));
      for (const path of paths) this.#records.set(path, null);
      for (const record of decoded.ok ? decoded.value.assets : []) {
        if (record.len >= LATER_ASSET_LEN_MIN) this.#records.set(record.path, record);
      }
    } catch {
      // Without a record nobody asks for it either.
    }
  }
}
