/** Prepares to put the verified app in place of the thin page. */

import type { ThinBoot } from '../core/generated/ThinBoot';
import { within } from './clock';
import { CROWD_STALL_MS, STORE_DEPLOY_MS, STORE_WAIT_MS, WORKER_WAIT_MS } from './limits';
import { serveWorker } from './serve';
import { askWorker, controller, hideWorker } from './workerclient';
import type { PageToWorker } from './workerclient';

/**
 * Waits until all is stored that can be, and tells the worker; true if the page can go on the way the server asked for. Writing works without a
 * worker or a store (the page or the origin gives what is not there); a reload needs both.
 */
export async function readyToDeploy(
  { manifest, page: path, deploy, crowd }: ThinBoot,
  bytes: Uint8Array<ArrayBuffer>,
  stores: readonly Promise<boolean>[],
  worker: Promise<ServiceWorkerRegistration | null>,
): Promise<boolean> {
  const url = deploy === 'reload' ? location.href.split('#', 1)[0] : undefined;
  const kept = Promise.all(stores).then((all) => all.every(Boolean));
  const message = { kind: 'viral-bind', manifest, bytes, path, url, patient: crowd } as const;
  // From the next navigation on the worker may answer from what is stored.
  const tell = async (): Promise<void> => (await worker)?.active?.postMessage({ kind: 'viral-stored', manifest } satisfies PageToWorker);
  if (!(await within(url ? STORE_WAIT_MS : STORE_DEPLOY_MS, kept)) && url) return false;
  // What one of a crowd shows without its worker comes from the origin once more.
  const bound = await within(crowd ? CROWD_STALL_MS : WORKER_WAIT_MS, bind(worker, message));
  void kept.then((all) => (all ? tell() : undefined)).catch(() => undefined);
  return !url || !!bound;
}

/** Resolves to whether the worker took it and answers this page's requests. */
export async function bind(worker: Promise<ServiceWorkerRegistration | null>, message: Extract<PageToWorker, { kind: 'viral-bind' }>): Promise<unknown> {
  try {
    const active = (await worker)?.active;
    const answered = controller() ? undefined : hideWorker();
    const bound = active && (await askWorker(active, { ...message, hidden: !!answered }, serveWorker()));
    await answered;
    return bound;
  } catch {
    return false;
  }
}
