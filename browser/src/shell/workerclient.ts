/** The page's side of our service worker. */

import type { Digest } from '../core/digest';
import { BASE } from '../core/manifest';
import { within } from './clock';
import { INSIDE_WAIT_MS } from './limits';

/** Where our worker's script is. */
export const WORKER_URL = '/.viral/worker.js';

/** What the page is told when a worker of the site's own claims it: from then on the site may see that worker. */
export const SHOWN = 'viral-shown';

/** What a page tells or asks the worker. Where an answer is named, it comes as one message on the first port that goes with it. */
export type PageToWorker =
  /**
   * This page, whose path is `path`, was put in place from this manifest, whose blob is `bytes`; or, with a `url`, the next navigation to it is
   * to be answered from this manifest. A second port is where the page hears the worker. `hidden`: the site is shown no worker here. Answer: true.
   */
  | { readonly kind: 'viral-bind'; readonly manifest: Digest; readonly bytes: Uint8Array<ArrayBuffer>; readonly path: string; readonly url: string | undefined; readonly patient?: boolean | undefined; readonly hidden?: boolean }
  /**
   * The document and the critical ring of this manifest are in the store; or, with the path of a page that came whole, its document is, and all else is in
   * the browser's own cache. No answer.
   */
  | { readonly kind: 'viral-stored'; readonly manifest: Digest; readonly path?: string }
  /** Which manifest does this page run? Answer: digest or undefined. */
  | { readonly kind: 'viral-bound' }
  /** Which paths were answered for this page and its workers so far, in the order in which they were asked for? Answer: a list. */
  | { readonly kind: 'viral-used' }
  /** Keeps the worker alive. Answer: nothing, from a worker that has ours in it. */
  | { readonly kind: 'viral-ping' };

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

const isOurs = (worker: ServiceWorker | null): boolean => !!worker?.scriptURL.endsWith(WORKER_URL);

/** Whether a registration is ours alone. */
export function isOursAlone({ active, waiting, installing }: ServiceWorkerRegistration): boolean {
  return [active, waiting, installing].every((worker) => !worker || isOurs(worker));
}

/** What the browser says, whatever the site is shown of it. */
const real = <K extends keyof ServiceWorkerContainer>(key: K): ServiceWorkerContainer[K] => {
  const { serviceWorker } = navigator;
  const value = Reflect.get(ServiceWorkerContainer.prototype, key, serviceWorker) as ServiceWorkerContainer[K];
  return (typeof value === 'function' ? value.bind(serviceWorker) : value) as ServiceWorkerContainer[K];
};

/** Whether there are workers at all: not over plain HTTP. */
const hasWorkers = (): boolean => !!navigator.serviceWorker;

/** The worker that answers this page. */
export const controller = (): ServiceWorker | null => (hasWorkers() ? real('controller') : null);

/** The registration for this page, whoever made it. */
export const registration = async (): Promise<ServiceWorkerRegistration | undefined> => (hasWorkers() ? real('getRegistration')() : undefined);

/** Whether a registration is the site's own, with a worker that has not ours in it, as far as it says. */
export async function lacksOurs(one: ServiceWorkerRegistration): Promise<boolean> {
  if (isOursAlone(one)) return false;
  return !one.active || (await within(INSIDE_WAIT_MS, askWorker(one.active, { kind: 'viral-ping' }))) === null;
}

/**
 * Registers our worker for the whole site, unless the site's own has ours in it, and resolves once one is active; null if it has not. Which one is active may change when a new release is installed
 * meanwhile.
 */
export async function registerWorker(): Promise<ServiceWorkerRegistration | null> {
  const before = await registration();
  if (before && (await lacksOurs(before))) return null;
  if (!before || isOursAlone(before)) await navigator.serviceWorker.register(WORKER_URL, { scope: BASE });
  return real('ready');
}

/**
 * From now on the site sees of workers what it would see without ours: none but its own, and that one as the page's only once it claims the page. Resolves when a worker answers the page. To be called
 * where none does yet.
 */
export function hideWorker(): Promise<void> {
  const { serviceWorker } = navigator;
  return new Promise((answered) => {
    let settle = (): void => undefined;
    /** The site missed that its own worker answers the page now. */
    let missed = false;
    const show = (): void => {
      serviceWorker.removeEventListener('controllerchange', hide);
      for (const name in shown) Reflect.deleteProperty(serviceWorker, name);
      // Else the browser's own event is still to come.
      if (missed) serviceWorker.dispatchEvent(new Event('controllerchange'));
    };
    const ready = new Promise<ServiceWorkerRegistration>((resolve) => {
      settle = () =>
        void registration().then((one) => {
          if (!one?.active || isOurs(one.active)) return;
          resolve(one);
          // Only a claim puts a worker of another scope in the place of ours.
          if (controller() === one.active && one.scope !== new URL(BASE, location.href).href) show();
        });
    });
    const shown: PropertyDescriptorMap = {
      controller: { get: () => null },
      ready: { get: () => ready },
      getRegistration: { value: async (url?: string) => [await real('getRegistration')(url)].find((one) => one && !isOursAlone(one)) },
      register: {
        value: async (...args: Parameters<ServiceWorkerContainer['register']>) => {
          const one = await real('register')(...args);
          one.installing?.addEventListener('statechange', settle);
          settle();
          return one;
        },
      },
      getRegistrations: { value: async () => (await real('getRegistrations')()).filter((one) => !isOursAlone(one)) },
    };
    for (const name in shown) Object.defineProperty(serviceWorker, name, { ...shown[name], configurable: true });
    const hide = (event: Event): void => {
      event.stopImmediatePropagation();
      missed = !isOurs(controller());
      answered();
      settle();
    };
    // While the site's worker waits for ours Firefox finds it once more, and throws that away (measured); an app would take it for another one.
    void registration().then((one) => one?.addEventListener('updatefound', (event) => one.waiting && !isOurs(one.waiting) && isOurs(one.active) && event.stopImmediatePropagation()));
    serviceWorker.addEventListener('controllerchange', hide);
    serviceWorker.addEventListener('message', (event) => {
      if (event.data !== SHOWN) return;
      event.stopImmediatePropagation();
      show();
    });
  });
}

/** Asks the worker; `ear` is where it may ask in turn. There may be no answer. */
export function askWorker(worker: ServiceWorker, message: PageToWorker, ear?: MessagePort): Promise<unknown> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
    worker.postMessage(message, ear ? [port2, ear] : [port2]);
  });
}
