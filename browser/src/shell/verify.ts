/** Inflates and hashes what came in: nothing passes here that does not match its digest. */

import { hexOf } from '../core/digest';
import type { Digest } from '../core/digest';
import type { Piece } from '../core/manifest';

/** SHA-256 of bytes, as text. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<Digest> {
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

/** The raw bytes of a piece if the body is what the manifest says; null if it is forged. */
export async function decodeVerified(piece: Piece, encoding: 0 | 1, body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
  const raw = encoding ? await inflate(body, piece.len) : body;
  return raw?.length === piece.len && (await digestOf(raw)) === piece.digest ? raw : null;
}

/** Inflates a deflate-raw stream that must give exactly `len` bytes; stops at the first byte beyond. */
async function inflate(body: Uint8Array<ArrayBuffer>, len: number): Promise<Uint8Array<ArrayBuffer> | null> {
  // Through a writer: ten times as fast as the stream of a blob (measured, Chromium).
  const { readable, writable } = new DecompressionStream('deflate-raw');
  const reader = readable.getReader();
  feed(writable, body);
  const out = new Uint8Array(len);
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return filled === len ? out : null;
      if (filled + value.length > len) {
        await reader.cancel();
        return null;
      }
      out.set(value, filled);
      filled += value.length;
    }
  } catch {
    return null;
  }
}

/** Writes bytes into a stream whose other end is read. What goes wrong is seen there. */
export function feed(writable: WritableStream<BufferSource>, bytes: Uint8Array<ArrayBuffer>): void {
  const writer = writable.getWriter();
  writer.write(bytes).catch(() => undefined);
  writer.close().catch(() => undefined);
}
