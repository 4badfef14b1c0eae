/** Where the loader leaves what the addition takes: a property of the window, which scripts that list its properties do not see. */

export const HANDOVER = Symbol.for('viral');

/** A window with what was left on it, or with as much of it as somebody needs to know. */
export type Carrier<T> = { [HANDOVER]?: T };
