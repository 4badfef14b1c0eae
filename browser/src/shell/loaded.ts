/** When the app of a page was there. */

import { now } from './clock';

/** Waits until the page has loaded, and tells the server how long that took since somebody wished to see it. */
export async function loaded(): Promise<void> {
  if (document.readyState !== 'complete') await new Promise((resolve) => addEventListener('load', resolve, { once: true }));
  navigator.sendBeacon('/.viral/time', `${now()}`);
}
