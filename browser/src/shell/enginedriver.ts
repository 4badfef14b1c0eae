/**
 * Drives the fetch engine of a thin visit: frames and clock in, wants out, pieces verified and put together. There is one visit in a
 * page, so its state is the module's: the loader pays for every byte of its script. It lives on in the deployed page.
 */

import { concat } from '../core/bytes';
import { noTotals } from '../core/counts';
import type { Digest, PieceId } from '../core/digest';
import { Fetch } from '../core/fetch';
import type { Fault, FetchOutput, Source } from '../core/fetch';
import type { Frame } from '../core/frame';
import { decodeFrame } from '../core/frame';
import { keyOf } from '../core/intercept';
import { pieceIdOf } from '../core/manifest';
import type { AssetRecord, Piece } from '../core/manifest';
import type { Ring } from '../core/ring';
import { now } from './clock';
import { closeLink, sendFrame } from './link';
import type { Link } from './link';
import { request } from './request';
import { decodeVerified } from './verify';

/** An asset that this page has, wholly or in part. */
export interface Asset {
  readonly record: AssetRecord;
  readonly ring: Ring;
  /** Pieces that are not here yet. */
  readonly need: Set<PieceId>;
  /** All of it, once nothing is needed any more. */
  blob?: Blob;
}

/** The engine. After a `handle*` call [`pump`]. */
export const engine = new Fetch();
export const totals = noTotals();
/** Connections by key. */
export const links: Link[] = [];
/** Assets by path, in the spelling of [`keyOf`]: those of the manifest, and others that the page asked for. */
export const assets = new Map<string, Asset>();
/** Whole, verified assets by digest. */
export const blobs = new Map<Digest, Blob>();
/** Verified pieces of assets that are not whole. */
export const loose = new Map<PieceId, Uint8Array<ArrayBuffer>>();

/** Whether the manifest's pieces all come by the engine: somebody of a crowd takes each of them from the origin. */
export const crowd = { shares: false };

/** Bytes of `loose`. */
export const memory = { bytes: 0 };
/** Paths that the network answered, because the page had no better source. */
export const refused = new Set<string>();

/** Who is told; set by whoever is responsible for the page now. */
export const tell = {
  /** An asset is whole, by pieces that came. */
  whole: (asset: Asset, blob: Blob): void => void [asset, blob],
  fault: (link: Link, fault: Fault): void => void [link, fault],
  /** What is missing cannot be had any more. */
  lost: (): void => undefined,
  /** One of a crowd wants a lease, and holds so many more pieces of earlier ones. */
  share: (done: number): void => void done,
  /** The manifest is known, and its pieces are named to the engine next. */
  begins: (): void => undefined,
  /** This piece is held; without one, everything is, or nobody is there to give what is missing. */
  grew: (id?: PieceId): void => void id,
};

/** What is known of a piece: its digest and ring, the assets that lack bytes and have it, and where it lies in a whole asset. */
interface Known {
  readonly piece: Piece;
  readonly ring: Ring;
  readonly users: Set<Asset>;
  place?: { readonly blob: Blob; readonly from: number };
}

const known = new Map<PieceId, Known>();
const waiting = new Map<PieceId, (() => void)[]>();
let timer: ReturnType<typeof setTimeout> | undefined;
let stopped = false;

/** Takes an asset in; what of it is not here yet is for the engine to get, once it knows the pieces. `blob` is all of it, verified. */
export function adopt(record: AssetRecord, ring: Ring, blob?: Blob | null): Asset {
  const asset: Asset = { record, ring, need: new Set() };
  assets.set(keyOf(record.path), asset);
  for (const piece of record.pieces) {
    const id = pieceIdOf(piece.digest);
    let entry = known.get(id);
    if (!entry) known.set(id, (entry = { piece, ring, users: new Set() }));
    entry.users.add(asset);
    if (!blob && !entry.place && !loose.has(id)) asset.need.add(id);
  }
  if (blob) place(asset, blob);
  else if (!asset.need.size) finish(asset);
  return asset;
}

/** The bytes of a piece that is held; undefined of another. */
export async function bytesOf(id: PieceId): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const held = loose.get(id);
  const { piece, place } = known.get(id) ?? {};
  return held ?? (piece && place ? new Uint8Array(await place.blob.slice(place.from, place.from + piece.len).arrayBuffer()) : undefined);
}

/** Whether the bytes of this piece are here. */
export const isHere = (id: PieceId): boolean => loose.has(id) || !!known.get(id)?.place;

/** Resolves once the piece is held. */
export function arrival(id: PieceId): Promise<void> {
  return new Promise((resolve) => {
    if (isHere(id)) return resolve();
    const others = waiting.get(id);
    if (others) others.push(resolve);
    else waiting.set(id, [resolve]);
  });
}

/** A piece from a peer, or from the origin if there is no link. */
export async function takePiece(frame: Extract<Frame, { kind: 'piece' }>, link?: Link): Promise<void> {
  const source: Source = link ? { kind: 'peer', peer: link.key } : { kind: 'origin' };
  const { kind } = engine.accept(source, frame.id);
  const entry = known.get(frame.id);
  if (kind === 'take' && entry) {
    const { piece, ring } = entry;
    const bytes = await decodeVerified(piece, frame.encoding, frame.body);
    const { held } = engine.progress();
    engine.handlePiece(now(), source, frame.id, bytes !== null);
    if (bytes && engine.progress().held > held) {
      if (link) {
        totals.bytes.bytes_from_peers += piece.len;
        totals.piecesFromPeers++;
        totals.rings[ring] += piece.len;
        totals.sources.set(link.peer, (totals.sources.get(link.peer) ?? 0) + piece.len);
        totals.rates.set(link.peer, engine.rateOf(link.key));
      }
      deliver(frame.id, bytes, entry);
    }
  } else if (kind === 'unasked' && link) engine.handleFault(now(), link.key, kind);
  pump();
}

/** A control frame for the engine; false if it is none. */
export function takeControl(frame: Frame, { key }: Link, complete: boolean): boolean {
  if (frame.kind === 'hello') engine.handleHello(now(), key, complete);
  else if (frame.kind === 'have') engine.handleHave(now(), key, frame.ids);
  else if (frame.kind === 'refuse') engine.handleRefuse(now(), key, frame.ids);
  else return false;
  pump();
  return true;
}

/** The connection ended. */
export function disconnected({ key }: Link): void {
  engine.handleClosed(now(), key);
  pump();
}

/** Ends a connection whose other end is at fault. */
export function ban(link: Link, fault: Fault): void {
  if (fault === 'forged') totals.bans++;
  closeLink(link, 2);
  tell.fault(link, fault);
}

/** Does what the engine wants done, then sleeps until its next deadline. */
export function pump(): void {
  if (stopped) return;
  for (let output: FetchOutput | null; (output = engine.poll()); ) {
    if (output.kind === 'ask-origin') void askOrigin(output.ids);
    else if ('peer' in output) {
      const link = links[output.peer];
      if (!link) continue;
      if (output.kind === 'drop') ban(link, output.fault);
      else sendFrame(link, { kind: output.kind, ids: output.ids });
    } else if (output.kind === 'ask-share') tell.share(output.done);
    else tell.grew();
  }
  clearTimeout(timer);
  const at = engine.pollTimeout();
  if (at === null) return;
  timer = setTimeout(() => {
    engine.handleTimeout(now());
    pump();
  }, at - now() + 1);
}

/** Ends every connection; nothing is asked for any more. */
export function stop(): void {
  stopped = true;
  clearTimeout(timer);
  for (const link of links) closeLink(link, 1);
}

/** The origin does not know what it is asked for, as after a deploy, and no peer is there that may: this visit is over. */
export function unknown(status: number): void {
  if (status === 404 && !links.some(({ opened, closed }) => opened && !closed)) tell.lost();
}

function deliver(id: PieceId, bytes: Uint8Array<ArrayBuffer>, { users }: Known): void {
  if (!loose.has(id)) memory.bytes += bytes.length;
  loose.set(id, bytes);
  totals.bytes.pieces_verified++;
  for (const asset of users) {
    asset.need.delete(id);
    if (!asset.need.size) finish(asset);
  }
  arrived(id);
  tell.grew(id);
}

/** Puts the asset together. */
function finish(asset: Asset): void {
  const { record } = asset;
  const parts = record.pieces.flatMap(({ digest, len }): BlobPart[] => {
    const id = pieceIdOf(digest);
    const at = known.get(id)?.place;
    const part = at ? at.blob.slice(at.from, at.from + len) : loose.get(id);
    return part ? [part] : [];
  });
  const blob = new Blob(parts, { type: record.mediaType });
  place(asset, blob);
  tell.whole(asset, blob);
}

/** The asset lies in `blob`; pieces that nobody else lacks need not lie in memory as well. */
function place(asset: Asset, blob: Blob): void {
  asset.blob = blob;
  blobs.set(asset.record.digest, blob);
  let from = 0;
  for (const { digest, len } of asset.record.pieces) {
    const id = pieceIdOf(digest);
    const entry = known.get(id);
    if (entry) entry.place ??= { blob, from };
    entry?.users.delete(asset);
    if (loose.delete(id)) memory.bytes -= len;
    from += len;
  }
}

/** The asset came another way, and is verified. */
export function fill(asset: Asset, blob: Blob): void {
  asset.need.clear();
  place(asset, blob);
  const ids = asset.record.pieces.map(({ digest }) => pieceIdOf(digest));
  engine.handleHeld(now(), ids);
  for (const id of ids) arrived(id);
  tell.whole(asset, blob);
}

/** Wakes who waits for the piece. */
function arrived(id: PieceId): void {
  for (const resolve of waiting.get(id) ?? []) resolve();
  waiting.delete(id);
}

/** Gets pieces by id from the origin, each verified like any other as soon as it is in. */
async function askOrigin(ids: readonly PieceId[]): Promise<void> {
  const left = new Set(ids);
  try {
    const { ok, status, body } = await request(`/.viral/pieces?ids=${ids.join()}`);
    const reader = body?.getReader();
    unknown(status);
    for (let rest = new Uint8Array(0); ok && reader; ) {
      const { done, value } = await reader.read();
      if (done) break;
      rest = concat(rest, value);
      for (let end: number; rest.length >= 4 && rest.length >= (end = 4 + new DataView(rest.buffer).getUint32(0)); rest = rest.slice(end)) {
        const frame = decodeFrame(1, rest.slice(4, end));
        if (!frame.ok || frame.value.kind !== 'piece') break;
        left.delete(frame.value.id);
        void takePiece(frame.value);
      }
    }
  } catch {
    // The connection broke: what did not arrive is asked for again.
  }
  if (!left.size) return;
  engine.handleOriginFailed(now(), [...left]);
  pump();
}
