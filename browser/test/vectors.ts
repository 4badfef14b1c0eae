/** Reads the language-neutral test vectors that the Rust crates replay too. */

import { readFileSync } from 'node:fs';

/** What `vectors/NAME.json` holds; its shape is the caller's to know. */
export const vectors = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8')) as T;

/** Bytes of hex digits and `zeros` zero bytes. */
export function bytes(hex: string, zeros = 0): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(hex.length / 2 + zeros);
  for (let at = 0; at < hex.length / 2; at++) out[at] = parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return out;
}
