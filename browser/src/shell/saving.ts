/** Marks what the visitor is about to save. Firefox asks for what a link with `download` names as if it went there, and would save the loader (measured). */

import { savingCookie } from '../core/cookie';

/** Watches for clicks, before the page's own code hears of them. */
export function watchSaving(): void {
  addEventListener(
    'click',
    (event) => {
      for (const place of event.composedPath()) {
        const link = place as HTMLAnchorElement;
        if (place instanceof Element && place.hasAttribute('download') && link.origin === location.origin) {
          document.cookie = savingCookie(link.pathname, location.protocol);
        }
      }
    },
    true,
  );
}
