/** The verified pieces this page can give to others, as slices of blobs: the browser may keep them on disk. */

import { compressible, worthCompressing } from '../core/compressible';
import type { Digest, PieceId } from '../core/digest';
import { Lru } from '../core/lru';
import { pieceIdOf } from '../core/manifest';
import type { AssetRecord, Manifest, Piece } from '../core/manifest';
import { PIECE_LEN_MAX } from '../core/limits';
import { COMPRESSED_BYTES_MAX, HELD_BYTES_MAX, SEGMENT_LEN, SEGMENTS_BYTES_MAX } from './limits';
import { digestOf, feed } from './verify';

interface Slice {
  readonly asset: Digest;
  readonly blob: Blob;
  readonly from: number;
  readonly to: number;
  readonly compresses: boolean;
}

/** A piece as it goes into a frame. */
export interface EncodedPiece {
  /** Raw bytes. */
  readonly len: number;
  readonly encoding: 0 | 1;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Verified pieces of a download under way. */
export interface Pieces {
  isHere(id: PieceId): boolean;
  bytesOf(id: PieceId): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Bytes read and hashed at once. */
const BATCH_LEN = 4 * 1024 * 1024;

/** What is held, by piece. */
export class PieceStore {
  readonly #slices = new Map<PieceId, Slice>();
  readonly #assets = new Set<Digest>();
  readonly #encoded = new Lru<PieceId, EncodedPiece>(COMPRESSED_BYTES_MAX);
  readonly #segments = new Lru<string, Promise<ArrayBuffer>>(SEGMENTS_BYTES_MAX);
  readonly #download: Pieces | undefined;
  readonly #kept: ((id: PieceId) => void) | undefined;
  #bytes = 0;
  /** Pieces of a download that are worth compressing. */
  readonly #compressible = new Set<PieceId>();

  /** `download`: pieces of a thin visit, those of assets that are not whole among them. `kept` hears of each piece that is held from then on. */
  constructor(download?: Pieces, kept?: (id: PieceId) => void) {
    this.#download = download;
    this.#kept = kept;
  }

  /** What the manifest says of its pieces: those of a download travel compressed, too, where that is worth it. */
  describe({ assets }: Manifest): void {
    for (const { mediaType, pieces } of assets) if (compressible(mediaType)) for (const { digest } of pieces) this.#compressible.add(pieceIdOf(digest));
  }

  /** Whether this piece can be sent. */
  has(id: PieceId): boolean {
    return this.#slices.has(id) || !!this.#download?.isHere(id);
  }

  /** Whether the asset was looked at and is held whole. */
  hasAsset(digest: Digest): boolean {
    return this.#assets.has(digest);
  }

  /** How many of these pieces are held, and their bytes. */
  count(pieces: readonly Piece[]): { pieces: number; bytes: number } {
    const held = pieces.filter((piece) => this.has(pieceIdOf(piece.digest)));
    return { pieces: held.length, bytes: held.reduce((sum, piece) => sum + piece.len, 0) };
  }

  /** Holds those pieces of an asset that match their digests; `verified` ones are not hashed again. */
  async add(record: AssetRecord, blob: Blob, verified: boolean): Promise<void> {
    if (blob.size !== record.len || this.#assets.has(record.digest) || this.#bytes + blob.size > HELD_BYTES_MAX) return;
    const compresses = compressible(record.mediaType);
    let whole = true;
    let from = 0;
    let batch: { piece: Piece; from: number }[] = [];
    for (const [at, piece] of record.pieces.entries()) {
      batch.push({ piece, from });
      from += piece.len;
      const start = batch[0]?.from ?? 0;
      if (from - start < BATCH_LEN && at + 1 < record.pieces.length) continue;
      const bytes = verified ? null : new Uint8Array(await blob.slice(start, from).arrayBuffer());
      const genuine = await Promise.all(
        batch.map(async (each) => {
          const end = each.from + each.piece.len;
          return !bytes || (await digestOf(bytes.subarray(each.from - start, end - start))) === each.piece.digest;
        }),
      );
      batch.forEach((each, index) => {
        const id = pieceIdOf(each.piece.digest);
        if (!genuine[index]) whole = false;
        else if (!this.#slices.has(id)) {
          this.#slices.set(id, { asset: record.digest, blob, from: each.from, to: each.from + each.piece.len, compresses });
          this.#kept?.(id);
        }
      });
      batch = [];
    }
    this.#bytes += blob.size;
    if (whole) this.#assets.add(record.digest);
  }

  /** The piece, compressed if that is worth it; null if it is not held or cannot be read. */
  async read(id: PieceId): Promise<EncodedPiece | null> {
    const slice = this.#slices.get(id);
    const known = this.#encoded.get(id);
    if (known) return known;
    try {
      const raw = slice ? await this.#bytesOf(slice) : await this.#download?.bytesOf(id);
      if (!raw) return null;
      const compresses = slice?.compresses ?? this.#compressible.has(id);
      const body = compresses && 'CompressionStream' in globalThis ? await deflate(raw) : raw;
      const encoded: EncodedPiece = {
        len: raw.length,
        ...(worthCompressing(raw.length, body.length) ? { encoding: 1, body } : { encoding: 0, body: raw }),
      };
      if (compresses) this.#encoded.set(id, encoded, encoded.body.length);
      return encoded;
    } catch {
      return null;
    }
  }

  /** Reads a whole segment and keeps it: in Chromium a read of 1 MiB takes hardly longer than one of 40 KiB (measured). */
  async #bytesOf({ asset, blob, from, to }: Slice): Promise<Uint8Array<ArrayBuffer>> {
    const index = Math.floor(from / SEGMENT_LEN);
    const start = index * SEGMENT_LEN;
    const key = `${asset} ${index}`;
    let segment = this.#segments.get(key);
    if (!segment) {
      const end = start + SEGMENT_LEN + PIECE_LEN_MAX;
      segment = blob.slice(start, end).arrayBuffer();
      this.#segments.set(key, segment, Math.min(end, blob.size) - start);
    }
    return new Uint8Array(await segment, from - start, to - from);
  }
}

async function deflate(raw: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new CompressionStream('deflate-raw');
  feed(writable, raw);
  return new Uint8Array(await new Response(readable).arrayBuffer());
}
