/** Prepares to put the verified app in place of the thin page. */

import type { ThinBoot } from '../core/generated/ThinBoot';
import { within } from './clock';
import { WORKER_WAIT_MS } from './limits';
import { keep, manifestKey } from './store';
import { askWorker } from './workerclient';

/**
 * Waits until all is stored that can be, and tells the worker; true if the page can go on the way the server asked for. Writing works without a
 * worker or a store (sub-resources then come from the origin as ever); a reload needs both.
 */
export async function readyToDeploy(
  { manifest, page, deploy }: ThinBoot,
  bytes: Uint8Array<ArrayBuffer>,
  stores: readonly Promise<boolean>[],
  worker: Promise<ServiceWorkerRegistration | null>,
): Promise<boolean> {
  const kept = await Promise.all([keep(manifestKey(manifest), new Response(bytes)), ...stores]);
  const url = deploy === 'reload' ? location.href.split('#', 1)[0] : undefined;
  // For an asset that found no room the worker goes to the origin; the document of a reload must be there.
  const bound = (url ? kept.every(Boolean) : kept[0]) && (await within(WORKER_WAIT_MS, bind(worker, { kind: 'bind', manifest, page, url })));
  return !url || !!bound;
}

/** Resolves to whether the worker took it and answers this page's requests. */
async function bind(worker: Promise<ServiceWorkerRegistration | null>, message: Parameters<typeof askWorker>[1]): Promise<unknown> {
  try {
    const active = (await worker)?.active;
    const bound = active && (await askWorker(active, message));
    const { serviceWorker } = navigator;
    if (!serviceWorker.controller) await new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
    return bound;
  } catch {
    return false;
  }
}
