/** A cursor over untrusted bytes, and the way back: numbers, hex and bytes to one array. */

import { hexOf } from './digest';

/** Checked reads; each refuses instead of reading past the end. */
export interface Reader {
  /** How many bytes are left. */
  left(): number;
  /** The next `len` bytes, not copied. */
  take(len: number): Uint8Array<ArrayBuffer>;
  /** A big-endian unsigned integer of `len` bytes, at most 6. */
  uint(len: number): number;
  /** An unsigned LEB128 varint of at most 8 bytes in its shortest form. Above 2^53 it is inexact, and over every limit. */
  varint(): number;
  /** `len` bytes in lower-case hex. */
  hex(len: number): string;
}

/** Reads `bytes` from the start. */
export function readerOf(bytes: Uint8Array<ArrayBuffer>, refuse: (error: 'truncated' | 'varint') => never): Reader {
  let at = 0;
  const left = (): number => bytes.length - at;
  const take = (len: number): Uint8Array<ArrayBuffer> => (len > left() ? refuse('truncated') : bytes.subarray(at, (at += len)));
  const uint = (len: number): number => take(len).reduce((value, byte) => value * 256 + byte, 0);
  const varint = (): number => {
    for (let value = 0, unit = 1, index = 0; index < 8; index++, unit *= 128) {
      const byte = uint(1);
      value += (byte & 127) * unit;
      if (byte < 128) return byte || !index ? value : refuse('varint');
    }
    return refuse('varint');
  };
  return { left, take, uint, varint, hex: (len) => hexOf(take(len)) };
}

/** One array of all parts. */
export function concat(...parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((len, part) => len + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** `value` as `len` big-endian bytes, at most 4. */
export const uintBytes = (value: number, len: number): number[] => Array.from({ length: len }, (_, index) => (value >>> (8 * (len - 1 - index))) & 255);
