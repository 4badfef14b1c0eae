/** The service worker's memory: which open page runs which manifest. It never answers a page from another page's manifest. */

import type { Digest } from './digest';

/** What is written to the store, so that a restarted worker goes on where it was. */
export interface BindingsState {
  /** Manifest by client id. */
  readonly clients: Record<string, Digest>;
  /** Manifest by page path, latest deploy of each. */
  readonly pages: Record<string, Digest>;
  /** One-shot: the navigation to this URL is answered from this manifest. */
  readonly reloads: Record<string, Digest>;
  /** Manifests in order of last use, oldest first. */
  readonly recent: Digest[];
  /** Clients that have peers to ask for assets outside their manifest. */
  readonly live: string[];
}

/** A reload that never happened is forgotten after so many others. */
const RELOADS_MAX = 8;

/** Bindings of clients to manifests. */
export class Bindings {
  #clients: Map<string, Digest>;
  #pages: Map<string, Digest>;
  #reloads: Map<string, Digest>;
  #recent: Digest[];
  #live: Set<string>;

  constructor(state?: BindingsState) {
    this.#clients = new Map(Object.entries(state?.clients ?? {}));
    this.#pages = new Map(Object.entries(state?.pages ?? {}));
    this.#reloads = new Map(Object.entries(state?.reloads ?? {}));
    this.#recent = [...(state?.recent ?? [])];
    this.#live = new Set(state?.live);
  }

  /** The manifest that a client runs. */
  manifestOf(client: string): Digest | undefined {
    return this.#clients.get(client);
  }

  /** The stored version of a page, for when the origin is gone. */
  manifestOfPage(path: string): Digest | undefined {
    return this.#pages.get(path);
  }

  /** The page at `path` in this client was put in place from this manifest. */
  bind(client: string, manifest: Digest, path?: string): void {
    this.#clients.set(client, manifest);
    if (path !== undefined) this.#pages.set(path, manifest);
    this.#recent = [...this.#recent.filter((other) => other !== manifest), manifest];
  }

  /** Whether the client has peers to ask. */
  isLive(client: string): boolean {
    return this.#live.has(client);
  }

  /** The client has peers to ask, or no longer. */
  setLive(client: string, live: boolean): void {
    if (live) this.#live.add(client);
    else this.#live.delete(client);
  }

  /**
   * The next navigation to `url` is to be answered from this manifest. False if that was so already: the navigation came past us, and
   * would again.
   */
  bindReload(url: string, manifest: Digest): boolean {
    if (this.takeReload(url) === manifest) return false;
    this.#reloads.set(url, manifest);
    for (const oldest of this.#reloads.keys()) {
      if (this.#reloads.size <= RELOADS_MAX) break;
      this.#reloads.delete(oldest);
    }
    return true;
  }

  /** Takes the one-shot binding of a navigation. */
  takeReload(url: string): Digest | undefined {
    const manifest = this.#reloads.get(url);
    this.#reloads.delete(url);
    return manifest;
  }

  /** Forgets clients that are gone and all but the last `kept` manifests; gives back the manifests still in use. */
  prune(live: ReadonlySet<string>, kept: number): Set<Digest> {
    for (const client of this.#clients.keys()) if (!live.has(client)) this.#clients.delete(client);
    for (const client of this.#live) if (!live.has(client)) this.#live.delete(client);
    this.#recent = this.#recent.slice(-kept);
    const used = new Set([...this.#recent, ...this.#clients.values(), ...this.#reloads.values()]);
    for (const [path, manifest] of this.#pages) if (!used.has(manifest)) this.#pages.delete(path);
    return used;
  }

  /** The state to write down. */
  state(): BindingsState {
    return {
      clients: Object.fromEntries(this.#clients),
      pages: Object.fromEntries(this.#pages),
      reloads: Object.fromEntries(this.#reloads),
      recent: [...this.#recent],
      live: [...this.#live],
    };
  }
}
