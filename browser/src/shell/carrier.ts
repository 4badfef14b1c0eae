/** Where the loader leaves what the addition takes: a property of the window, which scripts that list its properties do not see. */

export const HANDOVER = Symbol.for('viral');

/** Where the loader leaves what the script of a crowd takes. */
export const CROWD = Symbol.for('viral-crowd');

/** Key of `localStorage` under which a page that was made for its visitor leaves the manifest of which everything was here. */
export const HELD = 'viral-held';

/** A window with what was left on it, or with as much of it as somebody needs to know. */
export type Carrier<T> = { [HANDOVER]?: T };
