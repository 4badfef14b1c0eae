/** Names made of bytes, as hex text. */

export type { Digest } from './generated/Digest';
export type { PieceId } from './generated/PieceId';
export type { Ticket } from './generated/Ticket';

/** Lower-case hex digits of `bytes`. */
export const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');

/** Bytes of lower-case hex digits, which the caller knows to be such. */
export const bytesOf = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
