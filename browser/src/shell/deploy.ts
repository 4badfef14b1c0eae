/** Puts the verified app in place of the thin page. */

import type { ThinBoot } from '../core/generated/ThinBoot';
import { within } from './clock';
import { RELOAD_LOOP_MS, WORKER_WAIT_MS } from './limits';
import { keep, manifestKey } from './store';
import { askWorker } from './workerclient';

const RELOADED = 'viral-reload';

/**
 * Stores what is not stored yet and tells the worker; true if the page can go on the way the server asked for. Writing works
 * without a worker or a store (sub-resources then come from the origin as ever). A reload needs both, and one that led back here
 * must not be tried again.
 */
export async function readyToDeploy(
  { manifest, page, deploy }: ThinBoot,
  bytes: Uint8Array<ArrayBuffer>,
  stores: readonly Promise<boolean>[],
  worker: Promise<ServiceWorker>,
): Promise<boolean> {
  const kept = await Promise.all([...stores, keep(manifestKey(manifest), new Response(bytes))]);
  const url = deploy === 'reload' ? location.href.split('#', 1)[0] : undefined;
  const bound = kept.every(Boolean) && (await within(WORKER_WAIT_MS, bind(worker, { kind: 'bind', manifest, page, url })).catch(() => false));
  if (!url) return true;
  const [digest, at] = (sessionStorage.getItem(RELOADED) ?? '').split(' ');
  if (!bound || (digest === manifest && Date.now() - Number(at) < RELOAD_LOOP_MS)) return false;
  sessionStorage.setItem(RELOADED, `${manifest} ${Date.now()}`);
  return true;
}

async function bind(worker: Promise<ServiceWorker>, message: Parameters<typeof askWorker>[1]): Promise<boolean> {
  const done = (await askWorker(await worker, message)) === true;
  const { serviceWorker } = navigator;
  if (!serviceWorker.controller) await new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
  return done;
}
