/** The outcome of reading something from a remote: a value, or why there is none. */

export type Result<T, E extends string> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** Runs `read`; what it refused becomes the error. */
export function attempt<T, E extends string>(read: (refuse: (error: E) => never) => T): Result<T, E> {
  let refused: E | undefined;
  try {
    const value = read((error) => {
      refused = error;
      throw error;
    });
    return { ok: true, value };
  } catch (error) {
    if (refused === undefined) throw error;
    return { ok: false, error: refused };
  }
}
