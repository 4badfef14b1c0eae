/** Assets outside the boot set: the page seeds those it loaded by itself, and gets others from its peers when the service worker asks. */

import { decodeManifest } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import { RECORD_PATHS_MAX } from '../core/limits';
import { assetPath } from '../core/timing';
import { within } from './clock';
import type { Holdings } from './holdings';
import { LATER_ASSETS_MAX, LATER_ASSET_LEN_MIN, RECORD_DELAY_MS, RECORDS_MAX, SEEK_MS } from './limits';
import { fromHttpCache } from './pagemanifest';
import type { Seeder } from './seeder';
import { getFurther } from './further';
import type { LiveLeech } from './session';
import { keepAsset, recordHeaders, storedAsset } from './store';
import type { PageAnswer, WorkerToPage } from './workerclient';

/** Peers to ask for when there are none. */
const SEEK_COUNT = 2;

/** The later assets of one page. */
export class Later {
  /** Null while the page does not seed. */
  seeder: Seeder | null = null;
  readonly #holdings: Holdings;
  readonly #leech: LiveLeech | undefined;
  /** What the origin said of a path; null: not worth a peer's while, or not an asset. */
  readonly #records = new Map<string, AssetRecord | null>();
  /** URL by path of what the page loaded; empty once it was looked at. */
  readonly #loaded = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(holdings: Holdings, leech: LiveLeech | undefined) {
    this.#holdings = holdings;
    this.#leech = leech;
  }

  /** The page itself loaded something of this length, says the browser's timing. */
  handleLoaded(url: string, len: number): void {
    const path = assetPath(url, location.origin);
    if (path === null || len < LATER_ASSET_LEN_MIN || this.#loaded.size >= LATER_ASSETS_MAX || this.#loaded.has(path)) return;
    this.#loaded.set(path, url);
    this.#timer ??= setTimeout(() => void this.#holdLoaded(), RECORD_DELAY_MS);
  }

  /** The service worker asks, for the page, for an asset that its manifest does not have. */
  async handleAsk({ path }: WorkerToPage, port: MessagePort): Promise<void> {
    const answer = (message: PageAnswer): void => port.postMessage(message);
    await this.#learn([path]);
    const record = this.#records.get(path);
    const kept = record ? await storedAsset(record) : null;
    const leech = kept ? null : this.#leech;
    const near = leech && record && this.seeder && (await within(SEEK_MS, this.seeder.seek(SEEK_COUNT)));
    if (!record || !(kept || near)) return answer({ kind: 'no' });
    answer({ kind: 'coming' });
    const blob = kept ?? (leech && (await getFurther(leech, record, this.#holdings)));
    if (!blob) return;
    answer({ kind: 'asset', blob, headers: [...recordHeaders(record)] });
    await this.#holdings.add(record, blob, true);
    await keepAsset(record, blob);
  }

  /** Learns the records of what the page loaded and holds it, straight from the browser's HTTP cache. */
  async #holdLoaded(): Promise<void> {
    this.#timer = undefined;
    await this.#learn([...this.#loaded.keys()]);
    for (const [path, url] of this.#loaded) {
      if (!url) continue;
      this.#loaded.set(path, '');
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
      // Without a record the network answers.
    }
  }
}
