/** `fetch` as the browser made it. Sites wrap theirs to watch it, and tests replace it: neither shall see our requests or answer them. */

import { HANDOVER } from './carrier';
import type { Carrier } from './carrier';

/** What the browser's own function looks like, in Chromium, Firefox and Safari. */
const NATIVE = /^function fetch\(\) \{\s*\[native code\]\s*\}$/;

function pristine(): typeof fetch {
  const left = (window as Carrier<{ readonly request: typeof fetch }>)[HANDOVER]?.request;
  if (left) return left;
  const { fetch } = window;
  if (NATIVE.test(Function.prototype.toString.call(fetch))) return fetch.bind(window);
  // A page of its own has one of its own, as long as it is there. Beside the body, where selectors of the page hardly look.
  const frame = document.createElement('iframe');
  frame.hidden = true;
  document.documentElement.append(frame);
  const inner = frame.contentWindow as (Window & typeof globalThis) | null;
  return (inner?.fetch ?? fetch).bind(inner ?? window);
}

/** The loader has it before the site's first script runs, and leaves it to the addition. */
export const request = pristine();
