/**
 * A visit to a page that the site makes for this visitor: the browser shows it as it comes from the origin, and what it goes on to load, in workers too, comes from nearby visitors. Nobody waits for
 * this, and every way out leaves the page as it is.
 */

import type { ThinBoot } from '../core/generated/ThinBoot';
import type { FaultReport } from '../core/generated/FaultReport';
import { countsOf } from '../core/counts';
import type { VisitPost } from '../core/generated/VisitPost';
import { within } from './clock';
import { bind } from './deploy';
import { answersTo } from './dial';
import { download, got, marks, stores } from './download';
import { assets, blobs, bytesOf, disconnected, engine, isHere, links, pump, refused, stop, takeControl, takePiece, tell, totals } from './enginedriver';
import { leaveHandover } from './handover';
import { BESIDE_WAIT_MS, WORKER_WAIT_MS } from './limits';
import { post } from './post';
import { request } from './request';
import { registerWorker } from './workerclient';

const faults: FaultReport[] = [];

/** Whom this page takes from; null where that is nobody. */
export async function askBoot(): Promise<ThinBoot | null> {
  const response = await post('/.viral/personal', null);
  return response.status === 200 ? ((await response.json()) as ThinBoot) : null;
}

/** Connects, binds the page to its manifest in the worker, and leaves the engine to the addition. */
export async function visitBeside(boot: ThinBoot): Promise<void> {
  tell.fault = ({ peer }, what) => void faults.push({ peer, fault: what });
  // What no peer brings comes from the origin, which the worker asks.
  tell.lost = () => undefined;
  const ready = new Promise<boolean>((resolve) => (got.ready = () => resolve(true)));
  const leave = (): void => end(boot);
  addEventListener('pagehide', leave);
  try {
    const dialled = download(boot);
    const worker = dialled.then(registerWorker);
    worker.catch(() => undefined);
    await dialled;
    const { manifest, bytes } = (await within(BESIDE_WAIT_MS, ready)) ? got : {};
    if (!manifest || !bytes || !(await worker)) return leave();
    const bound = await within(WORKER_WAIT_MS, bind(worker, { kind: 'bind', manifest: boot.manifest, bytes, path: boot.page, url: undefined }));
    if (!bound) return leave();
    const engineDriver = { engine, links, tell, assets, refused, bytesOf, isHere, pump, takePiece, takeControl, disconnected, answersTo };
    leaveHandover({ boot, bytes, manifest, blobs, stores, totals, faults, marks, engineDriver, request });
  } catch {
    leave();
  } finally {
    removeEventListener('pagehide', leave);
  }
}

/** Gives the visit up. */
function end({ ticket }: ThinBoot): void {
  stop();
  const said: VisitPost = { ticket, counts: countsOf(totals), faults };
  navigator.sendBeacon('/.viral/visit', JSON.stringify(said));
}
