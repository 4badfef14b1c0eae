/** What the build decides (`scripts/options.mjs`). */

/** Whether this script takes part in crowds. Without, nothing of `core/fetch/originlease.ts` is in it. */
declare const CROWD: boolean;

/** The service worker is sent in front of the site's own. */
declare const INSIDE: boolean;
