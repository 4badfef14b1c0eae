/** Frames: the shared vectors, the round trip, and arbitrary damage. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, vectors } from '../../test/vectors';
import { decodeFrame, encodeFrame } from './frame';
import type { Channel, Frame } from './frame';

interface FrameVectors {
  valid: { name: string; channel: Channel; hex: string; frame: Frame & { body?: string } }[];
  invalid: { name: string; channel: Channel; hex: string; zeros?: number; error: string }[];
}

const { valid, invalid } = vectors<FrameVectors>('frames');
const hexOf = (message: Uint8Array): string => Buffer.from(message).toString('hex');

describe('a frame has exactly these bytes', () => {
  test.each(valid)('$name', ({ channel, hex, frame }) => {
    const typed = (typeof frame.body === 'string' ? { ...frame, body: bytes(frame.body) } : frame) as Frame;
    expect(hexOf(encodeFrame(typed))).toBe(hex);
    expect(decodeFrame(channel, bytes(hex))).toEqual({ ok: true, value: typed });
  });
});

describe('a malformed frame is refused for the same reason as in rust', () => {
  test.each(invalid)('$name', ({ channel, hex, zeros, error }) => {
    expect(decodeFrame(channel, bytes(hex, zeros))).toEqual({ ok: false, error });
  });
});

test('what decodes, however damaged, encodes to the same bytes; nothing throws', () => {
  const messages = valid.map(({ channel, hex }) => [channel, bytes(hex)] as const);
  const damaged = fc
    .tuple(fc.constantFrom(...messages), fc.nat(), fc.nat(255))
    .map(([[channel, message], at, value]) => {
      const copy = message.slice();
      copy[at % copy.length] = value;
      return [channel, copy] as const;
    });
  const arbitrary = fc.tuple(fc.constantFrom<Channel>(0, 1), fc.uint8Array({ maxLength: 100 }).map((some) => new Uint8Array(some)));
  fc.assert(
    fc.property(fc.oneof(damaged, arbitrary), ([channel, message]) => {
      const decoded = decodeFrame(channel, message);
      if (decoded.ok) expect(hexOf(encodeFrame(decoded.value))).toBe(hexOf(message));
    }),
    { numRuns: 1000 },
  );
});
