/** How many paths go into one message. */

/** Bytes of paths, as JSON: SIGNAL_LEN_MAX and RECORD_POST_LEN_MAX less a page of PATH_LEN_MAX and what stands around them. */
export const PATHS_LEN_MAX = 61_000;

/** The first of `paths`, at most `countMax`, that together fit one signal or one record post. They are ASCII. */
export function fitting(paths: readonly string[], countMax: number): string[] {
  let left = PATHS_LEN_MAX;
  return paths.slice(0, countMax).filter((path) => (left -= path.length + 3) >= 0);
}
