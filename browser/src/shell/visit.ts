/** A thin visit from the first statement to the deploy, with every way out of it: it ends with the app or on the way to the plain answer. */

import { countsOf, noTotals } from '../core/counts';
import { ORIGIN_IDS_MAX } from '../core/generated/fetchPolicy';
import type { FaultReport } from '../core/generated/FaultReport';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { VisitPost } from '../core/generated/VisitPost';
import { LEASE_FIRST_PIECES } from '../core/limits';
import type { PlainCause } from '../core/plainpath';
import { now, wait } from './clock';
import { colorsOver } from './colors';
import { readyToDeploy } from './deploy';
import { holdOverOpen } from './hold';
import { askManifest, download, got, handler, left, marks, stores } from './download';
import { blobs, crowd, engine, links, pump, stop, tell, totals } from './enginedriver';
import { join } from './join';
import type { CrowdSession } from './join';
import { engineDriver, leaveEngine } from './leave';
import { CROWD_SCRIPT_WAIT_MS, CROWD_STALL_MS, PROGRESS_AFTER_MS, STALL_MS, STORE_WAIT_MS, WATCH_MS } from './limits';
import { hasCandidate } from './link';
import { goPlain } from './plain';
import { progressLine } from './progress';
import { transferredBytes } from './timings';
import { registerWorker } from './workerclient';

const faults: FaultReport[] = [];
/** Of one of a crowd. */
const session: CrowdSession = {};
let over = false;
let watch: ReturnType<typeof setInterval>;

/** Runs the visit. */
export async function visit(boot: ThinBoot): Promise<void> {
  const leave = (cause: PlainCause): void => {
    if (over) return;
    void goPlain(cause);
    end(boot);
  };
  const fault = (): void => leave('fault');
  tell.fault = ({ peer }, what) => void faults.push({ peer, fault: what });
  tell.lost = fault;
  addEventListener('error', fault);
  addEventListener('unhandledrejection', fault);
  addEventListener('pagehide', () => over || end(boot));
  // Restored from the back/forward cache in the middle of it: the connections are gone.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
  watchOver(leave, boot.crowd ? CROWD_STALL_MS : STALL_MS);
  if (boot.script) share(boot);
  const dialled = download(boot);
  // Not at once: the new worker's process would compete with the first connection for the processor (measured on two cores).
  const worker = dialled.then(registerWorker);
  worker.then((active) => active ?? leave('own-sw'), () => undefined);
  got.ready = () => void deploy(boot, worker).catch(fault);
  await dialled;
}

/** Is one of a crowd, once the script for that is there. */
function share(boot: ThinBoot): void {
  const ask = (): void => void askManifest(boot, 0);
  const alone = (): void => {
    if (session.seeder) return;
    crowd.shares = false;
    engine.limit(now());
    pump();
    ask();
  };
  crowd.shares = true;
  // So many requests are the pieces that came with the answer. The others are granted, once there is somebody to ask for them.
  engine.limit(now(), boot.first ? LEASE_FIRST_PIECES / ORIGIN_IDS_MAX : 0);
  join({ boot, engineDriver, got, totals, session, handlerOf: () => handler(boot, null), askManifest: ask }, alone);
  void wait(CROWD_SCRIPT_WAIT_MS).then(alone);
}

/** Shows how far it is, and notices when it goes no further. */
function watchOver(leave: (cause: PlainCause) => void, stallMs: number): void {
  const began = now();
  let advancedAt = began;
  let seen = 0;
  let draw: ((share: number) => void) | undefined;
  watch = setInterval(() => {
    const { bytesHeld, bytesTotal } = engine.progress();
    if (seen < (seen = bytesHeld + bytesTotal)) advancedAt = now();
    if (now() - began >= PROGRESS_AFTER_MS) (draw ??= progressLine())(Math.min(1, bytesHeld / (left.bytes || 1)));
    // Storing what came may take long on a slow disk, but not for ever.
    if (now() - advancedAt >= (marks.held ? STORE_WAIT_MS : stallMs)) leave('fault');
    // Gathering is over and there is nothing: a policy forbids it.
    if (links.length && links.every(({ pc, closed }) => !closed && pc.iceGatheringState === 'complete' && !hasCandidate(pc))) leave('incapable');
  }, WATCH_MS);
}

/** Ends the visit without the app. */
function end({ ticket }: ThinBoot): void {
  over = true;
  clearInterval(watch);
  stop();
  totals.bytes.bytes_from_origin = transferredBytes();
  // Of what its session told the tracker nothing is told again.
  const post: VisitPost = { ticket, counts: (session.report ? session.report.takeGrowth() : countsOf(totals)) ?? countsOf(noTotals()), faults };
  // A page that is put in place by a reload reads there what its visit came to.
  navigator.sendBeacon('/.viral/visit', (sessionStorage['viral'] = JSON.stringify(post)));
}

/** Puts the app in place. */
async function deploy(boot: ThinBoot, worker: Promise<ServiceWorkerRegistration | null>): Promise<void> {
  const { manifest, bytes } = got;
  if (!manifest || !bytes) return;
  marks.held = now();
  const html = await blobs.get(manifest.assets[0]?.digest ?? '')?.text();
  if (!(await readyToDeploy(boot, bytes, [...stores], worker)) || html === undefined) throw 0;
  if (over) return;
  if (boot.deploy === 'reload') {
    // First of all: whatever `end` runs into, the app comes.
    location.reload();
    return end(boot);
  }
  over = true;
  clearInterval(watch);
  marks.deployed = now();
  leaveEngine(boot, bytes, manifest, faults, session);
  const color = colorsOver();
  holdOverOpen();
  document.open();
  document.write(html);
  color();
  document.close();
  showPage();
}

/** Firefox fires no `pageshow` after `document.open` (measured); apps wait for it. */
function showPage(): void {
  let shown = false;
  addEventListener('pageshow', () => (shown = true), { once: true });
  addEventListener('load', () => setTimeout(() => shown || dispatchEvent(new PageTransitionEvent('pageshow'))), { once: true });
}
