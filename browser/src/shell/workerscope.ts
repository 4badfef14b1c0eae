/** The part of a service worker's global scope that is used here: the DOM and worker typings cannot be loaded side by side. */

/** A page or worker that this service worker may answer. */
export interface WorkerClient {
  readonly id: string;
  readonly url: string;
  readonly type: string;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** An event whose handling keeps the worker alive. */
export interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

/** A request to answer or to leave alone. */
export interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  readonly clientId: string;
  readonly resultingClientId: string;
  /** The answer to a navigation that the browser asked for itself, while this worker started. */
  readonly preloadResponse?: Promise<Response | undefined>;
  respondWith(response: Promise<Response>): void;
}

/** A message from a page. */
export interface ClientMessageEvent extends ExtendableEvent {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
  readonly source: { readonly id?: string } | null;
}

/** The global scope. */
export interface WorkerScope {
  readonly location: Location;
  readonly registration: {
    readonly scope: string;
    readonly active: { readonly scriptURL: string } | null;
    readonly navigationPreload?: { enable(): Promise<void>; disable(): Promise<void>; setHeaderValue(value: string): Promise<void> };
  };
  readonly clients: {
    claim: () => Promise<void>;
    get(id: string): Promise<WorkerClient | undefined>;
    matchAll(options: { includeUncontrolled?: boolean; type?: 'window' | 'all' }): Promise<readonly WorkerClient[]>;
  };
  readonly onfetch: unknown;
  readonly caches: CacheStorage;
  fetch: typeof fetch;
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: 'message', listener: (event: ClientMessageEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}
