/** The page's side of our service worker. */

import type { Digest } from '../core/digest';
import { BASE } from '../core/manifest';

/** Where our worker's script is. */
export const WORKER_URL = '/.viral/worker.js';

/** What a page tells or asks the worker. Where an answer is named, it comes as one message on the first port that goes with it. */
export type PageToWorker =
  /**
   * This page, whose path is `path`, was put in place from this manifest, whose blob is `bytes`; or, with a `url`, the next navigation to it is
   * to be answered from this manifest. A second port is where the page hears the worker. Answer: true.
   */
  | { readonly kind: 'bind'; readonly manifest: Digest; readonly bytes: Uint8Array<ArrayBuffer>; readonly path: string; readonly url: string | undefined }
  /**
   * The document and the critical ring of this manifest are in the store; or, with the path of a page that came whole, its document is, and all else is in
   * the browser's own cache. No answer.
   */
  | { readonly kind: 'stored'; readonly manifest: Digest; readonly path?: string }
  /** Which manifest does this page run? Answer: digest or undefined. */
  | { readonly kind: 'bound' }
  /** Which paths were answered for this page and its workers so far, in the order in which they were asked for? Answer: a list. */
  | { readonly kind: 'used' }
  /** Keeps the worker alive. No answer. */
  | { readonly kind: 'ping' };

/** What the worker asks of the page it belongs to: an asset, or what a `Range` header names of it. The answers come on the port. */
export interface WorkerToPage {
  readonly kind: 'viral-ask';
  readonly path: string;
  readonly range: string | null;
}

/** What is told of an asset, or of a part of it: from `from` to before `to`, of `total` bytes. */
export interface Described {
  /** Of the whole asset. */
  readonly digest: Digest;
  readonly headers: [string, string][];
  readonly from: number;
  readonly to: number;
  readonly total: number;
}

/**
 * The page's answers: not from here (`keep`: the page would like a copy, as a `Blob`, of what the network gives); it comes; here it is; here is what it is,
 * and the bytes follow as `ArrayBuffer`s, then `null`; a text in between says that they are still coming. The worker says how many buffers it takes, [`ENOUGH`] when it
 * wants none any more but still answers, and [`END`] when its answer is over.
 */
export type PageAnswer =
  | { readonly kind: 'no'; readonly keep: boolean }
  | { readonly kind: 'coming' }
  | ({ readonly kind: 'blob'; readonly blob: Blob } & Described)
  | ({ readonly kind: 'begin' } & Described);

/** The worker's answer is over. */
export const END = 0;

/** The worker gets the rest elsewhere, and must be kept alive meanwhile. */
export const ENOUGH = -1;

/** Whether a registration is ours. */
export function isOurs({ active, waiting, installing }: ServiceWorkerRegistration): boolean {
  const worker = active ?? waiting ?? installing;
  return !worker || worker.scriptURL.endsWith(WORKER_URL);
}

/**
 * Registers our worker for the whole site and resolves once one is active; null if the site has one of its own here. Which one is active may change
 * when a new release is installed meanwhile.
 */
export async function registerWorker(): Promise<ServiceWorkerRegistration | null> {
  const { serviceWorker } = navigator;
  const before = await serviceWorker.getRegistration();
  if (before && !isOurs(before)) return null;
  await serviceWorker.register(WORKER_URL, { scope: BASE });
  return serviceWorker.ready;
}

/** Asks the worker; `ear` is where it may ask in turn. There may be no answer. */
export function askWorker(worker: ServiceWorker, message: PageToWorker, ear?: MessagePort): Promise<unknown> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
    worker.postMessage(message, ear ? [port2, ear] : [port2]);
  });
}
