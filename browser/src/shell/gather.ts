/** What a page of a full answer used: it is held for others straight from the browser's HTTP cache, whether the page's manifest has it or not. */

import { fitting } from '../core/fitting';
import { keyOf } from '../core/intercept';
import { RECORD_PATHS_MAX } from '../core/limits';
import type { AssetRecord } from '../core/manifest';
import { alarm, now } from './clock';
import type { PieceStore } from './piecestore';
import { GATHER_DELAY_MS, ON_DEMAND_ASSETS_MAX, ON_DEMAND_ASSET_LEN_MIN, LOOK_UPS, LOOK_UPS_MAX, RECORDS_MAX, USES_MAX } from './limits';
import type { PageManifest } from './pagemanifest';
import { fromHttpCache } from './pagemanifest';
import { askRecords } from './records';

/** Something that was used. */
interface Use {
  /** Under which the page loaded it. */
  readonly url: string;
  /** Bytes, 0 if they are not known, `GUESSED` if the URL is not known either. */
  readonly len: number;
  /** How often the cache was asked in vain: it may still be writing. */
  misses: number;
  /** When it is looked for, in milliseconds; infinite once it was looked for to the end. */
  dueMs: number;
}

/** Length of what an earlier visit loaded, by a URL that its path only suggests. */
export const GUESSED = -1;

/** Finds what the page used, one look at a time. */
export class Gatherer {
  readonly #pieceStore: PieceStore;
  readonly #grew: () => void;
  /** By key. */
  readonly #uses = new Map<string, Use>();
  #listed: ReadonlyMap<string, AssetRecord> | null = null;
  /** What the origin said of keys outside the manifest; null: not worth a peer's while, or not an asset. */
  readonly #records = new Map<string, AssetRecord | null>();
  /** Assets outside the manifest that are held. */
  #onDemandCount = 0;
  #looking: Promise<void> | null = null;
  /** When the next look begins. */
  #lookMs = Infinity;
  readonly #sleep = alarm(() => {
    this.#lookMs = Infinity;
    void this.look();
  });

  /** `grew` is called when a look found more. */
  constructor(pieceStore: PieceStore, grew: () => void) {
    this.#pieceStore = pieceStore;
    this.#grew = grew;
  }

  /** The page, or a worker of it, has loaded this whole. The first URL stands; only one that was guessed is replaced by the page's own. */
  handleUsed(path: string, url: string, len: number): void {
    const key = keyOf(path);
    const known = this.#uses.get(key);
    if ((known && (known.len >= 0 || len <= 0)) || this.#uses.size >= USES_MAX) return;
    this.#uses.set(key, { url, len, misses: 0, dueMs: now() });
    this.#schedule(now());
  }

  /** The page's manifest is known, or another one: what was not worth a look may be in it. */
  setManifest({ manifest }: PageManifest): void {
    this.#listed = new Map(manifest.assets.map((asset) => [keyOf(asset.path), asset]));
    for (const [key, use] of this.#uses) if (this.#listed.has(key) && use.misses < LOOK_UPS_MAX) use.dueMs = Math.min(use.dueMs, now());
  }

  /** Looks for everything that is due; resolves once that look is over. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
      this.#schedule(Math.min(...[...this.#uses.values()].map((use) => use.dueMs)));
    }));
  }

  /** Looks again when something is due, but not before more had a while to come. */
  #schedule(wantedMs: number): void {
    const dueMs = Math.max(wantedMs, now() + GATHER_DELAY_MS);
    if (this.#listed && !this.#looking && dueMs < this.#lookMs) this.#sleep((this.#lookMs = dueMs));
  }

  async #look(): Promise<void> {
    const due = [...this.#uses].filter(([, { dueMs }]) => dueMs <= now());
    await this.#learn(due);
    let grew = false;
    const work = async (): Promise<void> => {
      for (let next = due.shift(); next; next = due.shift()) {
        const [key, use] = next;
        const found = await this.#find(key, use);
        grew ||= found === true;
        const isOver = found !== false || ++use.misses >= LOOK_UPS_MAX;
        use.dueMs = isOver ? Infinity : now() + GATHER_DELAY_MS * 3 ** use.misses;
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS }, work));
    if (grew) this.#grew();
  }

  /** Holds it. True: more is held now; false: it may be found later; null: there is nothing to look for. */
  async #find(key: string, { url, len }: Use): Promise<boolean | null> {
    const listed = this.#listed?.get(key);
    const record = listed ?? this.#records.get(key);
    if (record === undefined) return isSmall(len) && null;
    if (!record || this.#pieceStore.hasAsset(record.digest)) return null;
    if (!listed && this.#onDemandCount >= ON_DEMAND_ASSETS_MAX) return null;
    const blob = await fromHttpCache(url);
    if (!blob) return false;
    try {
      await this.#pieceStore.add(record, blob, false);
    } catch {
      // A cache entry that cannot be read; the app must not hear of it.
      return false;
    }
    if (!listed) this.#onDemandCount++;
    return true;
  }

  /** Asks the origin for the records that neither the manifest nor an earlier answer has. */
  async #learn(due: readonly (readonly [string, Use])[]): Promise<void> {
    const unknown = due.filter(([key, { len }]) => !this.#listed?.has(key) && !this.#records.has(key) && !isSmall(len));
    const paths = fitting(unknown.map(([key]) => key), RECORD_PATHS_MAX);
    if (!paths.length) return;
    if (this.#records.size > RECORDS_MAX) this.#records.clear();
    try {
      const records = await askRecords(paths);
      for (const key of paths) this.#records.set(key, null);
      for (const record of records) if (record.len >= ON_DEMAND_ASSET_LEN_MIN) this.#records.set(keyOf(record.path), record);
    } catch {
      // Without a record nobody asks for it either.
    }
  }
}

/** Whether the origin gives no record of something of this length, if it is known. */
const isSmall = (len: number): boolean => len > 0 && len < ON_DEMAND_ASSET_LEN_MIN;
