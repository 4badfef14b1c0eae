/** How long to wait before the tracker is dialled again. */

/** First wait, in milliseconds: a restarted server is usually back within a second. */
export const BACKOFF_FIRST_MS = 500;

/** Longest wait before jitter, in milliseconds. */
export const BACKOFF_MAX_MS = 30_000;

/**
 * The wait before attempt `attempt` (0 = the first after a loss): doubles from half a second to half a minute, plus or minus
 * half of it, so that the visitors of a restarted server do not all come back in the same instant.
 *
 * `random` is uniform in [0, 1). The result is a whole number of milliseconds.
 */
export function backoffMs(attempt: number, random: number): number {
  const base = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(Math.max(attempt, 0), 16));
  return Math.round(base * (0.5 + random));
}
