/** The page manifest: asset records as one blob, named by its SHA-256. Names and errors match `crates/wire/src/manifest.rs`. */

import { readerOf } from './bytes';
import type { Reader } from './bytes';
import type { Digest, PieceId } from './digest';
import { MANIFEST_ASSETS_MAX, MANIFEST_BYTES_MAX, MANIFEST_LEN_MAX, PIECE_LEN_MAX, RECORD_HEADERS_MAX } from './limits';
import { attempt } from './result';
import type { Result } from './result';

/** A slice of a decoded asset: raw length in bytes and SHA-256. */
export interface Piece {
  readonly len: number;
  readonly digest: Digest;
}

/** One servable file of the app. */
export interface AssetRecord {
  readonly path: string;
  readonly mediaType: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly len: number;
  readonly digest: Digest;
  readonly pieces: readonly Piece[];
}

/** Path of the viral addition: the only one of our own URLs that is an asset. */
export const ADDITION_PATH = '/.viral/addition.js';

/** Stands for all pages that the site makes for each visitor: they are one page to the tracker, and their documents never travel. */
export const PERSONAL = '/.viral/personal';

/** The path that the site lies below. The server puts it in front of every `/.viral/` that is written out in our scripts, so they are never put together. */
export const BASE = /* @__PURE__ */ ADDITION_PATH.slice(0, -18);

/** Asset records in order of need. */
export interface Manifest {
  readonly assets: readonly AssetRecord[];
}

/** Why bytes are not a manifest. */
export type ManifestError =
  | 'too-long'
  | 'magic'
  | 'truncated'
  | 'varint'
  | 'asset-count'
  | 'header'
  | 'piece-len'
  | 'sum'
  | 'total-len'
  | 'trailing';

type Refuse = (error: ManifestError) => never;

/** "VRL1". */
const MAGIC = 0x56524c31;

/**
 * Reads a blob whose digest the origin named. What the text of paths and headers may be, the origin saw to when it made the
 * blob; counts and lengths are judged here too.
 */
export function decodeManifest(bytes: Uint8Array<ArrayBuffer>): Result<Manifest, ManifestError> {
  return attempt((refuse: Refuse) => {
    if (bytes.length > MANIFEST_LEN_MAX) refuse('too-long');
    const reader = readerOf(bytes, refuse);
    if (reader.left() < 4 || reader.uint(4) !== MAGIC) refuse('magic');
    const count = reader.varint();
    if (!count || count > MANIFEST_ASSETS_MAX) refuse('asset-count');
    const assets: AssetRecord[] = [];
    let total = 0;
    while (assets.length < count) {
      const asset = takeAsset(reader, refuse);
      if (asset.pieces.reduce((sum, { len }) => sum + len, 0) !== asset.len) refuse('sum');
      total += asset.len;
      if (total > MANIFEST_BYTES_MAX) refuse('total-len');
      assets.push(asset);
    }
    if (reader.left()) refuse('trailing');
    return { assets };
  });
}

/** Every piece once, in order of first appearance. */
export function distinctPieces({ assets }: Manifest): Piece[] {
  const pieces = new Map<PieceId, Piece>();
  for (const asset of assets) {
    for (const piece of asset.pieces) {
      const id = pieceIdOf(piece.digest);
      if (!pieces.has(id)) pieces.set(id, piece);
    }
  }
  return [...pieces.values()];
}

/** The id that addresses the piece with this digest. */
export const pieceIdOf = (digest: Digest): PieceId => digest.slice(0, 32);

function takeAsset(reader: Reader, refuse: Refuse): AssetRecord {
  const text = (): string => new TextDecoder().decode(reader.take(reader.varint()));
  const path = text();
  const mediaType = text();
  let count = reader.varint();
  if (count > RECORD_HEADERS_MAX) refuse('header');
  const headers: [string, string][] = [];
  while (count--) headers.push([text(), text()]);
  const len = reader.varint();
  const digest = reader.hex(32);
  count = reader.varint();
  if (count * 33 > reader.left()) refuse('truncated');
  const pieces: Piece[] = [];
  while (count--) {
    const pieceLen = reader.varint();
    if (!pieceLen || pieceLen > PIECE_LEN_MAX) refuse('piece-len');
    pieces.push({ len: pieceLen, digest: reader.hex(32) });
  }
  return { path, mediaType, headers, len, digest, pieces };
}
