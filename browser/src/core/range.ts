/** The one kind of `Range` header that a player sends (RFC 9110 section 14.1.2): a single range of bytes. */

/** First byte and the one after the last of a range. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** The range that `header` asks of `len` bytes; null where it asks for several, for a unit we do not know, or for nothing that is there. */
export function byteRange(header: string, len: number): ByteRange | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (!first && !last) return null;
  const from = first ? +first : Math.max(0, len - +(last ?? 0));
  const to = first && last ? Math.min(len, +last + 1) : len;
  return from < to ? { from, to } : null;
}
