/** The one clock of a page, in whole milliseconds that never decrease, and waits on it. */

/** Milliseconds since the navigation began. */
export const now = (): number => Math.floor(performance.now());

/** A timer. It wakes at the earliest of the times that it was given last, none of which is null. */
export function alarm(wake: () => void): (...times: (number | null)[]) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (...times) => {
    clearTimeout(timer);
    const at = Math.min(...times.map((time) => time ?? Infinity));
    if (at < Infinity) timer = setTimeout(wake, at - now() + 1);
  };
}

/** Resolves after so many milliseconds. */
export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The value, or null if it does not come in time. A failure stays a failure. */
export const within = <T>(ms: number, value: Promise<T>): Promise<T | null> =>
  Promise.race([value, wait(ms).then(() => null)]);
