/** Manifests: the shared vectors, and arbitrary damage. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, vectors } from '../../test/vectors';
import { decodeManifest, distinctPieces, pieceIdOf } from './manifest';
import type { Piece } from './manifest';

interface ManifestVectors {
  valid: {
    name: string;
    hex: string;
    digest: string;
    bytes: number;
    distinct: string[];
    manifest: { assets: { path: string; media_type: string; headers: [string, string][]; len: number; digest: string; pieces: Piece[] }[] };
  }[];
  invalid: { name: string; hex: string; zeros?: number; error: string; origin_only?: true }[];
}

const { valid, invalid } = vectors<ManifestVectors>('manifest');

describe('a valid manifest is read as it is', () => {
  test.each(valid)('$name', ({ hex, digest, manifest, distinct, bytes: total }) => {
    const blob = bytes(hex);
    expect(createHash('sha256').update(blob).digest('hex')).toBe(digest);
    const decoded = decodeManifest(blob);
    if (!decoded.ok) throw new Error(decoded.error);
    const assets = manifest.assets.map(({ media_type, ...rest }) => ({ ...rest, mediaType: media_type }));
    expect(decoded.value).toEqual({ assets });
    expect(distinctPieces(decoded.value).map((piece) => pieceIdOf(piece.digest))).toEqual(distinct);
    expect(decoded.value.assets.reduce((sum, { len }) => sum + len, 0)).toBe(total);
  });
});

describe('a malformed manifest is refused for the same reason as in rust', () => {
  test.each(invalid.filter((it) => !it.origin_only))('$name', ({ hex, zeros, error }) => {
    expect(decodeManifest(bytes(hex, zeros))).toEqual({ ok: false, error });
  });
});

test.each(invalid.filter((it) => it.origin_only))('$name is for the origin to refuse: nothing throws', ({ hex, zeros }) => {
  decodeManifest(bytes(hex, zeros));
});

test('damaged and arbitrary blobs never throw', () => {
  const blobs = valid.map(({ hex }) => bytes(hex));
  fc.assert(
    fc.property(fc.constantFrom(...blobs), fc.nat(), fc.nat(255), fc.boolean(), (blob, at, value, cut) => {
      const index = at % blob.length;
      const damaged = cut ? blob.slice(0, index) : blob.slice();
      damaged[index] = value;
      const decoded = decodeManifest(damaged);
      if (cut) expect(decoded.ok).toBe(false);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
      decodeManifest(new Uint8Array(tail));
      decodeManifest(new Uint8Array([0x56, 0x52, 0x4c, 0x31, ...tail]));
    }),
  );
});
