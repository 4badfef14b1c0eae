/** The one clock of a page, in whole milliseconds that never decrease, and waits on it. */

/** Milliseconds since the navigation began. */
export const now = (): number => Math.floor(performance.now());

/** Resolves after so many milliseconds. */
export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The value, or null if it does not come in time. A failure stays a failure. */
export const within = <T>(ms: number, value: Promise<T>): Promise<T | null> =>
  Promise.race([value, wait(ms).then(() => null)]);
