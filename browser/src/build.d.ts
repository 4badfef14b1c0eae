/** What the build decides (`scripts/options.mjs`). */

/** The service worker is sent in front of the site's own. */
declare const INSIDE: boolean;
