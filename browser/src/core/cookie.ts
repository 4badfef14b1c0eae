/** Reads one cookie out of all. */

/** The value of one cookie out of `document.cookie`. */
export function cookieValue(cookies: string, name: string): string | undefined {
  return `; ${cookies}`.split(`; ${name}=`)[1]?.split(';', 1)[0];
}
