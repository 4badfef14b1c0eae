/** The service worker's memory: which open page runs which manifest. It never answers a page from another page's manifest. */

import type { Digest } from './digest';

/** What a page, or a worker of it, runs. */
export interface Binding {
  readonly manifest: Digest;
  /** Client id of the page: of a page its own. */
  readonly page: string;
  /** When the page was put in place, in milliseconds since 1970. */
  readonly at: number;
  /** How the page came. `written`: by the loader, whose engine can be asked. `stored`: from the store. `full`: from the origin, and what it shares with other pages is stored. */
  readonly kind: 'written' | 'stored' | 'full';
  /** The site is shown no worker here: none of its own has claimed the page, which came without one. */
  readonly hidden?: boolean;
  /** It is one of a crowd: over its line an asset that the network gives would come once more for each of them. */
  readonly patient?: boolean;
}

/** What is written to the store, so that a restarted worker goes on where it was. */
export interface BindingsState {
  /** By client id. */
  readonly bound: Record<string, Binding>;
  /** Manifest by page path, latest deploy of each. */
  readonly pages: Record<string, Digest>;
  /** One-shot: the navigation to this URL is answered from this manifest. */
  readonly reloads: Record<string, Digest>;
  /** Manifests in order of last use, oldest first. */
  readonly recent: Digest[];
  /** Manifests of which the document and the critical ring are in the store, oldest first. */
  readonly stored: Digest[];
}

/** A reload that never happened is forgotten after so many others. */
const RELOADS_MAX = 8;

/** Manifests that are told to the server as stored: the header of each navigation names them. */
const STORED_MAX = 8;

/** Clients remembered; a page with thousands of workers is none of ours. */
const CLIENTS_MAX = 1024;

/** Bindings of clients to manifests. */
export class Bindings {
  #bound: Map<string, Binding>;
  #pages: Map<string, Digest>;
  #reloads: Map<string, Digest>;
  #recent: Digest[];
  #stored: Digest[];

  constructor(state?: Partial<BindingsState>) {
    this.#bound = new Map(Object.entries(state?.bound ?? {}));
    this.#pages = new Map(Object.entries(state?.pages ?? {}));
    this.#reloads = new Map(Object.entries(state?.reloads ?? {}));
    this.#recent = [...(state?.recent ?? [])];
    this.#stored = [...(state?.stored ?? [])];
  }

  /** What a client runs. */
  of(client: string): Binding | undefined {
    return this.#bound.get(client);
  }

  /** The stored version of a page, for when the origin is gone. */
  manifestOfPage(path: string): Digest | undefined {
    return this.#pages.get(path);
  }

  /** The page at `path` in this client was put in place from this manifest. */
  bind(client: string, manifest: Digest, path: string, at: number, kind: Binding['kind'], hidden = false, patient = false): void {
    this.#put(client, { manifest, page: client, at, kind, ...(hidden && { hidden }), ...(patient && { patient }) });
    if (kind !== 'full') this.use(path, manifest);
  }

  /** A worker of the site's own claims its pages: gives back those that were shown none. */
  show(): string[] {
    const shown = [...this.#bound].filter(([, { hidden }]) => hidden);
    for (const [client, binding] of shown) this.#bound.set(client, { ...binding, hidden: false });
    return shown.map(([client]) => client);
  }

  /** Whether the next navigation to `url` is to be answered from a manifest. */
  awaitsReload(url: string): boolean {
    return this.#reloads.has(url);
  }

  /** This is the version of the page at `path` that the visitor keeps. */
  use(path: string, manifest: Digest): void {
    this.#pages.set(path, manifest);
    this.#recent = [...this.#recent.filter((other) => other !== manifest), manifest];
  }

  /** This worker belongs to that page, or to a worker of it. */
  inherit(worker: string, owner: Binding): void {
    this.#put(worker, owner);
  }

  /**
   * The next navigation to `url` is to be answered from this manifest. False if that was so already: the navigation came past us, and
   * would again.
   */
  bindReload(url: string, manifest: Digest): boolean {
    if (this.takeReload(url) === manifest) return false;
    this.#reloads.set(url, manifest);
    shorten(this.#reloads, RELOADS_MAX);
    return true;
  }

  /** Takes the one-shot binding of a navigation. */
  takeReload(url: string): Digest | undefined {
    const manifest = this.#reloads.get(url);
    this.#reloads.delete(url);
    return manifest;
  }

  /** Whether all that the page at once needs is stored changed. */
  setStored(manifest: Digest, stored: boolean): void {
    const others = this.#stored.filter((other) => other !== manifest);
    this.#stored = stored ? [...others, manifest].slice(-STORED_MAX) : others;
  }

  /** Manifests that pages of the site were put in place from, the last one first. */
  recent(): Digest[] {
    return [...this.#recent].reverse();
  }

  /** What the server is told with each navigation: the beginnings of the manifests that are stored, newest first. */
  header(): string {
    return `viral ${this.#stored.map((manifest) => manifest.slice(0, 16)).reverse().join()}`;
  }

  /** Forgets the clients of pages that are gone and all but the last `kept` manifests; gives back the manifests still in use. */
  prune(open: ReadonlySet<string>, kept: number): Set<Digest> {
    for (const [client, { page }] of this.#bound) if (!open.has(page)) this.#bound.delete(client);
    this.#recent = this.#recent.slice(-kept);
    const used = new Set([...this.#recent, ...[...this.#bound.values()].map(({ manifest }) => manifest), ...this.#reloads.values()]);
    for (const [path, manifest] of this.#pages) if (!used.has(manifest)) this.#pages.delete(path);
    this.#stored = this.#stored.filter((manifest) => used.has(manifest));
    return used;
  }

  /** The state to write down. */
  state(): BindingsState {
    return {
      bound: Object.fromEntries(this.#bound),
      pages: Object.fromEntries(this.#pages),
      reloads: Object.fromEntries(this.#reloads),
      recent: [...this.#recent],
      stored: [...this.#stored],
    };
  }

  #put(client: string, binding: Binding): void {
    this.#bound.delete(client);
    this.#bound.set(client, binding);
    shorten(this.#bound, CLIENTS_MAX);
  }
}

/** Forgets the oldest entries beyond the limit. */
function shorten(map: Map<string, unknown>, max: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
