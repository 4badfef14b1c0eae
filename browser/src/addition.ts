/** The viral addition: the script at the end of every full document. Turns the visitor into a seeder once the page has loaded. */

import { now, wait } from './shell/clock';
import { watchEvidence } from './shell/evidence';
import { loaded } from './shell/loaded';
import { START_QUIET_MS, START_WAIT_MS } from './shell/limits';
import { watchSaving } from './shell/saving';
import { takeHandover } from './shell/handover';
import { PageSession } from './shell/pagesession';

const own = document.currentScript as HTMLScriptElement | null;
// Selectors of the page, such as `:last-child`, must not find it.
own?.remove();

const handover = takeHandover();
const pageSession = new PageSession(handover, own?.dataset['page']);
watchSaving();

async function settled(): Promise<void> {
  if ((document as { prerendering?: boolean }).prerendering) {
    await new Promise((resolve) => document.addEventListener('prerenderingchange', resolve, { once: true }));
  }
  await loaded();
  await new Promise<void>((resolve) => {
    if ('requestIdleCallback' in window) requestIdleCallback(() => resolve(), { timeout: 1_000 });
    else setTimeout(resolve, 1);
  });
}

/**
 * A page that came whole is still starting its app, often in workers, when `load` is over: looking up what it used and connecting would cost it time just then. It is left alone for
 * two periods, and longer while it goes on to load; what its workers load, and what is still on its way, is not seen here.
 */
async function appStarted(): Promise<void> {
  const latest = now() + START_WAIT_MS;
  for (let before = -1, count = 0; count !== before && now() < latest; ) {
    await wait(START_QUIET_MS);
    before = count;
    count = performance.getEntriesByType('resource').length;
  }
}

/** Away: an open connection would keep the page out of the back/forward cache. */
const leave = (): void => pageSession.stop();
const back = (): void => void pageSession.start().catch(() => undefined);
const retry = (): void => pageSession.retry();
/** What was allowed before may not be now: the visitor may have opted out in another tab. */
const reconsider = (): void => void pageSession.reconsider().catch(() => undefined);
/** A page that is left is hidden, too, and must not open anything any more. */
const shown = (): void => {
  const visible = document.visibilityState === 'visible';
  pageSession.handleAway(!visible);
  if (visible) reconsider();
};

async function run(): Promise<void> {
  await settled();
  await pageSession.begin();
  if (!handover) await appStarted();
  addEventListener('pagehide', leave);
  document.addEventListener('freeze', leave);
  document.addEventListener('resume', back);
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) back();
    else retry();
  });
  addEventListener('online', retry);
  document.addEventListener('visibilitychange', shown);
  watchEvidence(reconsider);
  await pageSession.start();
}

run().catch(() => pageSession.stop());
