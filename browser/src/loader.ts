/** The loader: the one inline script of a thin answer. Gets the app from nearby visitors and puts it in place, or leads to the plain page. */

import type { ThinBoot } from './core/generated/ThinBoot';
import { isOptedOut } from './core/cookie';
import { holdLoad } from './shell/hold';
import { goPlain } from './shell/plain';
import { visit } from './shell/visit';

async function load(): Promise<void> {
  const capable = navigator.serviceWorker && window.DecompressionStream && window.RTCPeerConnection;
  if (!capable) return goPlain('incapable');
  if (!keepsAnything()) return goPlain('storage');
  // The browser may show a thin page of its cache to somebody who opted out since.
  if (isOptedOut(document.cookie)) return location.reload();
  const boot = JSON.parse(document.getElementById('viral-boot')?.textContent ?? '') as ThinBoot;
  await visit(boot);
}

/** Whether the visitor lets the site keep anything. If not there is no worker, no store and no cookie; Chromium calls cookies enabled all the same (measured). */
function keepsAnything(): boolean {
  try {
    return localStorage !== undefined;
  } catch {
    return false;
  }
}

load().catch(() => goPlain('fault'));
holdLoad();
