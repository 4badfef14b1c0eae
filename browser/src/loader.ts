/** The loader: the one inline script of a thin answer. Gets the app from nearby visitors and puts it in place, or leads to the plain page. */

import type { ThinBoot } from './core/generated/ThinBoot';
import { goPlain } from './shell/plain';
import { visit } from './shell/visit';

async function load(): Promise<void> {
  const capable = navigator.serviceWorker && window.DecompressionStream && window.RTCPeerConnection;
  if (!capable) return goPlain('incapable');
  // The first certificate of a process takes 14 ms (PLATFORM section 3): it warms up while the rest is set up.
  const certificate = RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'P-256' } as EcKeyGenParams);
  const boot = JSON.parse(document.getElementById('viral-boot')?.textContent ?? '') as ThinBoot;
  if ((document as { prerendering?: boolean }).prerendering) {
    await new Promise((resolve) => document.addEventListener('prerenderingchange', resolve));
  }
  await visit(boot, await certificate);
}

load().catch(() => goPlain('fault'));
