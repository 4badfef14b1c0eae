/** The page's side of our service worker. */

import type { Digest } from '../core/digest';

/** Where our worker's script is. */
export const WORKER_URL = '/.viral/worker.js';

/** What a page asks of the worker; each is answered by one message on the port that comes with it. */
export type PageToWorker =
  /**
   * This page, whose path is `page`, was put in place from this manifest; or, with a `url`, the next navigation to it is to be answered
   * from this manifest. Answer: true.
   */
  | { readonly kind: 'bind'; readonly manifest: Digest; readonly page: string; readonly url: string | undefined }
  /** Which manifest does this page run? Answer: digest or undefined. */
  | { readonly kind: 'bound' }
  /** Whether this page has peers to ask for assets outside its manifest. Answer: true. */
  | { readonly kind: 'live'; readonly live: boolean };

/** What the worker asks of the page it belongs to. The answers come on the port. */
export interface WorkerToPage {
  readonly kind: 'viral-ask';
  readonly path: string;
}

/** The page's answers: not from here; it comes; here it is. */
export type PageAnswer =
  | { readonly kind: 'no' }
  | { readonly kind: 'coming' }
  | { readonly kind: 'asset'; readonly blob: Blob; readonly headers: [string, string][] };

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
  await serviceWorker.register(WORKER_URL, { scope: '/' });
  return serviceWorker.ready;
}

/** Asks the worker. There may be no answer. */
export function askWorker(worker: ServiceWorker, message: PageToWorker): Promise<unknown> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
    worker.postMessage(message, [port2]);
  });
}
