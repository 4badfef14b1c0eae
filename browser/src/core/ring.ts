/** How soon a page needs an asset. */

/** Deploy waits for it. */
export const CRITICAL = 0;
/** At least half of the visits use it: fetched right behind. */
export const EXPECTED = 1;
/** Every other asset: fetched when the page asks. */
export const ON_DEMAND = 2;

/** A ring of the page set. */
export type Ring = typeof CRITICAL | typeof EXPECTED | typeof ON_DEMAND;
