/** The script in the head of a page that the site makes for each visitor: what the page loads from now on comes from nearby visitors, if there are any; then the addition follows. */

import { isOptedOut } from './core/cookie';
import { PERSONAL } from './core/manifest';
import { visitBeside } from './shell/beside';
import { isCapable, keepsAnything } from './shell/capable';

const own = document.currentScript as HTMLScriptElement | null;
const { nonce, dataset } = own ?? { nonce: '', dataset: {} as DOMStringMap };
// Selectors of the page, such as `:first-child`, must not find it.
own?.remove();

async function run(): Promise<void> {
  if (!isCapable() || !keepsAnything() || isOptedOut(document.cookie)) return;
  if ((document as { prerendering?: boolean }).prerendering) {
    await new Promise((resolve) => document.addEventListener('prerenderingchange', resolve, { once: true }));
  }
  await visitBeside();
}

/** Under which page it takes part it is told by its tag. */
function add(): void {
  const script = document.createElement('script');
  Object.assign(script, { nonce, src: dataset['addition'] });
  script.dataset['page'] = PERSONAL;
  (document.head ?? document.documentElement)?.append(script);
}

/** A page that takes in another one's head, as some frameworks do, runs its scripts again. */
const MARK = Symbol.for('viral-beside');
if (own && !(MARK in window)) {
  Object.defineProperty(window, MARK, { value: true });
  run().catch(() => undefined).finally(add);
}
