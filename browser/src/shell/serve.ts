/**
 * What the page's service worker asks of the page: an asset, or a part of one, piece by piece as it comes. Part of the loader, so that it answers
 * from the first instruction of the app on.
 */

import type { PieceId } from '../core/digest';
import { fitting } from '../core/fitting';
import { keyOf } from '../core/intercept';
import { pieceIdOf } from '../core/manifest';
import type { AssetRecord, Piece } from '../core/manifest';
import { RECORD_PATHS_MAX } from '../core/limits';
import { byteRange } from '../core/range';
import type { ByteRange } from '../core/range';
import { ON_DEMAND } from '../core/ring';
import { now, wait, within } from './clock';
import { adopt, arrival, assets, blobs, bytesOf, crowd, engine, fill, isHere, links, memory, pump, refused } from './enginedriver';
import type { Asset } from './enginedriver';
import { AHEAD_BYTES, ANSWER_MS_MAX, ASKS_MAX, BEAT_MS, KEEP_BYTES_MAX, LOOSE_BYTES_MAX, PING_MS, RECORD_DELAY_MS, RECORDS_MAX, SUPPLY_DIAL_WAIT_MS, SUPPLY_STEP_MS, SUPPLY_WAIT_MS } from './limits';
import { askRecords } from './records';
import { recordHeaders } from './store';
import { digestOf } from './verify';
import { END, controller } from './workerclient';
import type { PageAnswer, PageToWorker, WorkerToPage } from './workerclient';

/** Paths that the origin gave no record of. */
const none = new Set<string>();
/** The request for records that is being gathered: its paths, and its end. */
let gathering: { readonly paths: Set<string>; readonly done: Promise<void> } | undefined;
/** Answers under way. */
let open = 0;
let ping: ReturnType<typeof setInterval> | undefined;

/** Answers the worker, over its own port or the one that this gives to it. */
export function serveWorker(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const hear = (event: MessageEvent<Partial<WorkerToPage> | null>): void => {
    const { data, ports: [port] } = event;
    if (data?.kind !== 'viral-ask' || !port) return;
    // What fails here is answered by the network; the app must not hear of it.
    event.stopImmediatePropagation();
    serve(data as WorkerToPage, port).catch(() => port.postMessage(null));
  };
  port1.onmessage = hear;
  navigator.serviceWorker.addEventListener('message', hear);
  navigator.serviceWorker.startMessages();
  return port2;
}

async function serve({ path, range }: WorkerToPage, port: MessagePort): Promise<void> {
  const say = (message: PageAnswer): void => port.postMessage(message);
  if (open >= ASKS_MAX) return say({ kind: 'no', keep: false });
  say({ kind: 'coming' });
  const asset = assets.get(path) ?? (await learn(path));
  const part = asset && (range ? byteRange(range, asset.record.len) : { from: 0, to: asset.record.len });
  if (!asset || !part) return say({ kind: 'no', keep: false });
  const { record, ring, blob: whole } = asset;
  const pieces = piecesOf(record, part);
  refused.delete(path);
  const about = { digest: record.digest, headers: [...recordHeaders(record)] as [string, string][], ...part, total: record.len };
  if (whole) return say({ kind: 'blob', blob: whole.slice(part.from, part.to), ...about });
  // A part of an asset that is no part of the page set: whoever fetches it from the origin by pieces can pass them on.
  if ((range && ring === ON_DEMAND && memory.bytes < LOOSE_BYTES_MAX) || (crowd.shares && ring !== ON_DEMAND) || (await hasSource(pieces))) {
    say({ kind: 'begin', ...about });
    return whileOpen(stream(pieces, part, port));
  }
  if (refused.size < RECORDS_MAX) refused.add(path);
  const keep = !range && record.len <= KEEP_BYTES_MAX;
  say({ kind: 'no', keep });
  if (!keep) return;
  const copy = new Promise<unknown>((resolve) => (port.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data)));
  await whileOpen(copy.then((blob) => (blob instanceof Blob ? take(asset, blob) : undefined)));
}

/** Counts an answer under way. Firefox ends a worker thirty seconds after its last event, whatever it still answers: it is told so now and then. */
async function whileOpen(answer: Promise<unknown>): Promise<void> {
  open++;
  ping ??= setInterval(() => controller()?.postMessage({ kind: 'viral-ping' } satisfies PageToWorker), PING_MS);
  try {
    // A worker that was ended says nothing any more.
    await within(ANSWER_MS_MAX, answer);
  } finally {
    if (!--open) {
      clearInterval(ping);
      ping = undefined;
    }
  }
}

/** A piece of an asset, and where it begins in it. */
type Placed = Piece & { readonly at: number };

/** The pieces that cover a part of the asset. */
function piecesOf({ pieces }: AssetRecord, { from, to }: ByteRange): Placed[] {
  let at = 0;
  return pieces.map((piece) => ({ ...piece, at: (at += piece.len) - piece.len })).filter((piece) => piece.at < to && piece.at + piece.len > from);
}

/** Sends the part in order, as it comes and as the worker takes it. */
async function stream(pieces: readonly Placed[], { from, to }: ByteRange, port: MessagePort): Promise<void> {
  let credits = 0;
  let stopped = false;
  let wake = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    port.onmessage = ({ data }: MessageEvent<number>) => {
      credits += data;
      stopped ||= data <= END;
      wake();
      if (data === END) resolve();
    };
  });
  let { bytesHeld } = engine.progress();
  const beat = setInterval(() => {
    // One of a crowd has a while of nothing now and then, and its engine sees to that.
    if (bytesHeld < (bytesHeld = engine.progress().bytesHeld) || crowd.shares) port.postMessage('');
  }, BEAT_MS);
  try {
    await send();
  } finally {
    clearInterval(beat);
  }
  if (!stopped) port.postMessage(null);
  // The worker may get the rest elsewhere, and is kept alive until it has it.
  return over;

  async function send(): Promise<void> {
    let ahead = 0;
    for (const { digest, at, len } of pieces) {
      const fresh: PieceId[] = [];
      for (let piece = pieces[ahead]; piece && piece.at < at + AHEAD_BYTES; piece = pieces[++ahead]) {
        const id = pieceIdOf(piece.digest);
        if (!isHere(id)) fresh.push(id);
      }
      if (fresh.length) {
        engine.handleDemand(now(), fresh);
        pump();
      }
      const id = pieceIdOf(digest);
      void arrival(id).then(() => wake());
      while (!stopped && !(credits && isHere(id))) await new Promise<void>((resolve) => (wake = resolve));
      const bytes = stopped ? undefined : (await bytesOf(id))?.slice(Math.max(0, from - at), Math.min(len, to - at));
      if (!bytes) return;
      credits--;
      port.postMessage(bytes.buffer, [bytes.buffer]);
    }
  }
}

/** Whether a peer gives one of these, or has; waits a moment for what peers say. */
async function hasSource(pieces: readonly Piece[]): Promise<boolean> {
  const ids = pieces.map(({ digest }) => pieceIdOf(digest)).filter((id) => !isHere(id));
  for (let waited = 0; ; waited += SUPPLY_STEP_MS) {
    const supply = !ids.length || engine.supply(ids);
    const limit = links.some(({ opened, closed }) => opened && !closed) ? SUPPLY_WAIT_MS : SUPPLY_DIAL_WAIT_MS;
    if (supply !== null || waited >= limit) return !!supply;
    await wait(SUPPLY_STEP_MS);
  }
}

/** What the network gave instead: kept for others if it is what its record says. */
async function take(asset: Asset, blob: Blob): Promise<void> {
  const { record } = asset;
  if (asset.blob || blob.size !== record.len) return;
  // Never the blob itself: in Firefox it reads as empty once the worker that made it was stopped (measured).
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if ((await digestOf(bytes)) !== record.digest || asset.blob) return;
  fill(asset, new Blob([bytes], { type: record.mediaType }));
  pump();
}

/** The asset outside the manifest, if there is one that is worth a peer's while. */
async function learn(path: string): Promise<Asset | undefined> {
  if (none.has(path) || assets.size >= RECORDS_MAX) return undefined;
  if (!gathering || fitting([...gathering.paths, path], RECORD_PATHS_MAX).length <= gathering.paths.size) {
    const paths = new Set<string>();
    gathering = { paths, done: wait(RECORD_DELAY_MS).then(() => learnAll(paths)) };
  }
  const { paths, done } = gathering;
  paths.add(path);
  await done;
  return assets.get(path);
}

async function learnAll(paths: Set<string>): Promise<void> {
  if (gathering?.paths === paths) gathering = undefined;
  if (none.size >= RECORDS_MAX) none.clear();
  for (const path of paths) none.add(path);
  try {
    for (const record of await askRecords([...paths])) {
      none.delete(keyOf(record.path));
      const { need } = adopt(record, ON_DEMAND, blobs.get(record.digest));
      engine.addPieces(now(), record.pieces, true, true);
      engine.handleHeld(now(), record.pieces.map(({ digest }) => pieceIdOf(digest)).filter((id) => !need.has(id)));
    }
    pump();
  } catch {
    // Without a record the network answers.
  }
}
