/**
 * Drives the fetch engine of a thin visit: frames and clock in, wants out, pieces verified and put together. There is one visit in a
 * page, so its state is the module's: the loader pays for every byte of its script.
 */

import { noTotals } from '../core/counts';
import type { PieceId } from '../core/digest';
import { Fetch } from '../core/fetch';
import type { PeerFault, Source } from '../core/fetch';
import type { Frame } from '../core/frame';
import { decodeFrame } from '../core/frame';
import { concat } from '../core/bytes';
import { pieceIdOf } from '../core/manifest';
import type { AssetRecord, Piece } from '../core/manifest';
import { now } from './clock';
import { closeLink, sendFrame } from './link';
import type { Link } from './link';
import { openPiece } from './verify';

interface Job {
  readonly record: AssetRecord;
  readonly need: Set<PieceId>;
  readonly whole: (record: AssetRecord, blob: Blob) => void;
}

/** The engine. After a `handle*` call [`pump`]. */
export const engine = new Fetch();
export const totals = noTotals();
/** Connections by key. */
export const links: Link[] = [];

/** Who is told; set by whoever is responsible for the page now. */
export const tell = {
  done: (): void => undefined,
  fault: (link: Link, fault: PeerFault): void => void [link, fault],
  /** What is missing cannot be had any more. */
  lost: (): void => undefined,
};

const known = new Map<PieceId, Piece>();
const pieces = new Map<PieceId, Uint8Array<ArrayBuffer>>();
let jobs: Job[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let stopped = false;

/** Gives `whole` the asset once all its pieces were delivered. */
export function assemble(record: AssetRecord, whole: Job['whole']): void {
  jobs.push({ record, whole, need: new Set(record.pieces.map(remember)) });
  finish();
}

/** Makes a piece's digest known; gives its id back. */
function remember(piece: Piece): PieceId {
  const id = pieceIdOf(piece.digest);
  known.set(id, piece);
  return id;
}

/** A verified piece that the engine does not know of yet, from the store. */
export function found(id: PieceId, bytes: Uint8Array<ArrayBuffer>): void {
  engine.handleHeld(now(), [id]);
  deliver(id, bytes);
}

/** A piece from a peer, or from the origin if there is no link. */
export async function takePiece(frame: Extract<Frame, { kind: 'piece' }>, link?: Link): Promise<void> {
  const source: Source = link ? { kind: 'peer', peer: link.key } : { kind: 'origin' };
  const { kind } = engine.accept(source, frame.id);
  const piece = known.get(frame.id);
  if (kind === 'take' && piece) {
    const bytes = await openPiece(piece, frame.encoding, frame.body);
    const { held } = engine.progress();
    engine.handlePiece(now(), source, frame.id, bytes !== null);
    if (bytes && engine.progress().held > held) {
      if (link) {
        totals.bytes.bytes_from_peers += piece.len;
        totals.piecesFromPeers++;
        totals.sources.set(link.peer, (totals.sources.get(link.peer) ?? 0) + piece.len);
      }
      deliver(frame.id, bytes);
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
export function gone({ key }: Link): void {
  engine.handleClosed(now(), key);
  pump();
}

/** Ends a connection whose other end is at fault. */
export function ban(link: Link, fault: PeerFault): void {
  if (fault === 'forged') totals.bans++;
  closeLink(link, 2);
  tell.fault(link, fault);
}

/** Does what the engine wants done, then sleeps until its next deadline. */
export function pump(): void {
  if (stopped) return;
  for (let output = engine.poll(); output; output = engine.poll()) {
    if (output.kind === 'done') tell.done();
    else if (output.kind === 'ask-origin') void askOrigin(output.ids);
    else if ('peer' in output) {
      const link = links[output.peer];
      if (!link) continue;
      if (output.kind === 'drop') ban(link, output.fault);
      else sendFrame(link, { kind: output.kind, ids: output.ids });
    }
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

function deliver(id: PieceId, bytes: Uint8Array<ArrayBuffer>): void {
  pieces.set(id, bytes);
  totals.bytes.pieces_verified++;
  for (const job of jobs) job.need.delete(id);
  finish();
}

function finish(): void {
  const ready = jobs.filter(({ need }) => !need.size);
  if (!ready.length) return;
  jobs = jobs.filter(({ need }) => need.size);
  for (const { record, whole } of ready) {
    whole(record, new Blob(record.pieces.flatMap(({ digest }) => pieces.get(pieceIdOf(digest)) ?? []), { type: record.mediaType }));
  }
  if (!jobs.length) pieces.clear();
}

/** Gets pieces by id from the origin, each verified like any other as soon as it is in. */
async function askOrigin(ids: readonly PieceId[]): Promise<void> {
  const left = new Set(ids);
  try {
    const { ok, status, body } = await fetch(`/.viral/pieces?ids=${ids.join()}`);
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
