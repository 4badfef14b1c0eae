/**
 * A visit to a page that the site makes for this visitor: the browser shows it as it comes from the origin, and what it goes on to load, in workers too, comes from nearby visitors. Nobody waits for
 * this, and every way out leaves the page as it is.
 */

import { countsOf } from '../core/counts';
import type { Digest } from '../core/digest';
import type { FaultReport } from '../core/generated/FaultReport';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { VisitPost } from '../core/generated/VisitPost';
import { PERSONAL } from '../core/manifest';
import { plainCookie } from '../core/plainpath';
import { HELD } from './carrier';
import { within } from './clock';
import { bind } from './deploy';
import { download, got } from './download';
import { disconnected, engine, links, stop, tell, totals } from './enginedriver';
import { leaveEngine } from './leave';
import { BESIDE_WAIT_MS, WORKER_WAIT_MS } from './limits';
import { post } from './post';
import { controller, lacksOurs, registerWorker, registration } from './workerclient';

const faults: FaultReport[] = [];
let over = false;

/** Takes part, if there is somebody to take from and the site has no worker of its own. */
export async function visitBeside(): Promise<void> {
  const before = await registration();
  if (before && (await lacksOurs(before))) {
    // One that is just being installed may have ours in it.
    if (before.active) document.cookie = plainCookie('own-sw', location.protocol);
    return;
  }
  const boot = await within(BESIDE_WAIT_MS, askBoot());
  if (boot) await visit(boot);
}

/** Whom this page takes from; null where that is nobody. */
async function askBoot(): Promise<ThinBoot | null> {
  // Without a worker nothing answers from the store.
  const held = controller() ? (localStorage[HELD] as Digest | undefined) : undefined;
  const response = await post(PERSONAL, (held ? { held } : {}));
  return response.status === 200 ? ((await response.json()) as ThinBoot) : null;
}

/** Connects, binds the page to its manifest in the worker, and leaves the engine to the addition. */
async function visit(boot: ThinBoot): Promise<void> {
  tell.fault = ({ peer }, what) => void faults.push({ peer, fault: what });
  // What no peer brings comes from the origin, which the worker asks.
  tell.lost = () => undefined;
  const ready = new Promise<boolean>((resolve) => (got.ready = () => resolve(true)));
  const leave = (): void => end(boot);
  addEventListener('pagehide', leave);
  try {
    const dialled = download(boot).then(() => true);
    const worker = dialled.then(registerWorker);
    worker.catch(() => undefined);
    const isReady = (await within(BESIDE_WAIT_MS, dialled)) && (await within(BESIDE_WAIT_MS, ready));
    const { manifest, bytes } = got;
    if (!isReady || !manifest || !bytes || !(await within(BESIDE_WAIT_MS, worker)) || over) return leave();
    const bound = await within(WORKER_WAIT_MS, bind(worker, { kind: 'viral-bind', manifest: boot.manifest, bytes, path: boot.page, url: undefined }));
    if (!bound || over) return leave();
    leaveEngine(boot, bytes, manifest, faults);
    addEventListener('pagehide', () => remember(boot));
  } catch {
    leave();
  } finally {
    removeEventListener('pagehide', leave);
  }
}

/** The next page takes from nobody what this one left in the store. */
function remember({ manifest }: ThinBoot): void {
  const { bytesHeld, bytesTotal } = engine.progress();
  if (bytesHeld === bytesTotal) localStorage[HELD] = manifest;
}

/** Gives the visit up. */
function end({ ticket }: ThinBoot): void {
  if (over) return;
  over = true;
  // Nobody looks for the manifest any more.
  got.bytes ??= new Uint8Array();
  stop();
  // The worker may still ask: there is nobody any more who has it.
  links.forEach((link) => disconnected(link));
  const said: VisitPost = { ticket, counts: countsOf(totals), faults };
  navigator.sendBeacon('/.viral/visit', JSON.stringify(said));
}
