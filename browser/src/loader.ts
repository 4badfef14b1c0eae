/** The loader: the one inline script of a thin answer. Gets the app from nearby visitors and puts it in place, or leads to the plain page. */

import type { ThinBoot } from './core/generated/ThinBoot';
import { isOptedOut } from './core/cookie';
import { isCapable, keepsAnything } from './shell/capable';
import { holdLoad, isHeldHarmlessly } from './shell/hold';
import { goPlain } from './shell/plain';
import { visit } from './shell/visit';

async function load(): Promise<void> {
  if (!isCapable()) return goPlain('incapable');
  if (!keepsAnything()) return goPlain('storage');
  // The browser may show a thin page of its cache to somebody who opted out since.
  if (isOptedOut(document.cookie)) return location.reload();
  const boot = JSON.parse(document.getElementById('viral-boot')?.textContent ?? '') as ThinBoot;
  if (!boot.crowd || isHeldHarmlessly()) holdLoad();
  await visit(boot);
}

load().catch(() => goPlain('fault'));
