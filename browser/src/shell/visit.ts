/** A thin visit from the first statement to the deploy, with every way out of it: it ends with the app or on the way to the plain answer. */

import type { ThinBoot } from '../core/generated/ThinBoot';
import type { VisitPost } from '../core/generated/VisitPost';
import type { PlainCause } from '../core/plainpath';
import { now } from './clock';
import { readyToDeploy } from './deploy';
import { blobs, got, join, marks, stores } from './join';
import { laterEngine } from './laterengine';
import { engine, links, stop, tell, totals } from './leech';
import { CANDIDATE_WAIT_MS, PROGRESS_AFTER_MS, STALL_MS } from './limits';
import { hasCandidate } from './link';
import { goPlain } from './plain';
import { progressLine } from './progress';
import { documentBytes, sendVisit } from './report';
import { leaveSession } from './session';
import { registerWorker } from './workerclient';

const faults: VisitPost['faults'] = [];
let over = false;
let advancedAt = now();
let draw: ((share: number) => void) | undefined;
let watch: ReturnType<typeof setInterval>;

/** Runs the visit. */
export async function visit(boot: ThinBoot, certificate: RTCCertificate): Promise<void> {
  const leave = (cause: PlainCause): void => {
    if (!over) void goPlain(cause, () => end(boot));
  };
  const fault = (): void => leave('fault');
  const worker = registerWorker().then((active) => {
    if (active) return active;
    leave('own-sw');
    throw new Error();
  });
  worker.catch(() => undefined);
  tell.fault = ({ peer }, what) => void faults.push({ peer, fault: what });
  tell.advanced = advanced;
  tell.done = () => void deploy(boot, certificate, worker).then((done) => done || fault(), fault);
  addEventListener('error', fault);
  addEventListener('unhandledrejection', fault);
  addEventListener('pagehide', () => over || end(boot));
  // Restored from the back/forward cache in the middle of it: the connections are gone.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
  const began = now();
  watch = setInterval(() => {
    if (!draw && now() - began > PROGRESS_AFTER_MS) {
      draw = progressLine();
      progress();
    }
    if (now() - advancedAt > STALL_MS) fault();
  }, 100);
  setTimeout(() => {
    if (links.length && !links.some(({ opened, pc }) => opened || hasCandidate(pc))) leave('incapable');
  }, CANDIDATE_WAIT_MS);
  await join(boot, certificate);
}

function advanced(): void {
  advancedAt = now();
  progress();
}

function progress(): void {
  const { bytesHeld, bytesTotal } = engine.progress();
  draw?.(bytesHeld / (bytesTotal || 1));
}

/** Ends the visit without the app. */
function end({ ticket }: ThinBoot): void {
  over = true;
  clearInterval(watch);
  stop();
  totals.bytesFromOrigin = documentBytes();
  sendVisit(ticket, totals, faults);
}

/** Puts the app in place; false if it cannot be. */
async function deploy(boot: ThinBoot, certificate: RTCCertificate, worker: Promise<ServiceWorker>): Promise<boolean> {
  const { manifest, bytes } = got;
  const html = await blobs.get(manifest?.assets[0]?.digest ?? '')?.text();
  if (!manifest || !bytes || html === undefined) return false;
  marks.held = now();
  const ready = await readyToDeploy(boot, bytes, stores, worker);
  if (!ready || over) return ready;
  if (boot.deploy === 'reload') {
    end(boot);
    location.reload();
    return true;
  }
  over = true;
  clearInterval(watch);
  marks.deployed = now();
  leaveSession({ ticket: boot.ticket, digest: boot.manifest, bytes, manifest, blobs, certificate, totals, faults, marks, engine: laterEngine });
  document.open();
  document.write(html);
  document.close();
  return true;
}
