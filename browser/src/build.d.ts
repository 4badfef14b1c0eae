/** What the build decides (`scripts/options.mjs`). */

/** Whether this script takes part in crowds. Without, nothing of `core/fetch/originlease.ts` is in it. */
declare const CROWD: boolean;
