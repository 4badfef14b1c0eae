/** The download of a thin visit: dials the offered peers, gets the manifest from them or the origin, and sets the engine to work. */

import type { PieceId } from '../core/digest';
import type { Frame } from '../core/frame';
import { CROWD_MANIFEST_WAIT_MS, EARLY_BYTES_MAX, MANIFEST_WAIT_MS, ORIGIN_PROBE_MS } from '../core/generated/sessionPolicy';
import type { ThinBoot } from '../core/generated/ThinBoot';
import { decodeManifest, distinctPieces, pieceIdOf } from '../core/manifest';
import type { Manifest, Piece } from '../core/manifest';
import { Parts } from '../core/parts';
import { planned } from '../core/push';
import { CRITICAL, EXPECTED } from '../core/ring';
import { now, wait } from './clock';
import { answersTo } from './dial';
import { adopt, ban, engine, disconnected, links, pump, takeControl, takePiece, tell, unknown } from './enginedriver';
import type { Asset } from './enginedriver';
import { closeLink, newLink, sendFrame } from './link';
import type { Link, LinkHandler } from './link';
import { postJson } from './post';
import { request } from './request';
import type { Marks } from './handover';
import { keepAsset, manifestKey, stored, storedAsset } from './store';
import { digestOf } from './verify';

/** What the download has so far. */
export const got: { manifest?: Manifest; bytes?: Uint8Array<ArrayBuffer>; /** The critical ring is whole. */ ready: () => void } = { ready: () => undefined };
/** Assets of the critical ring that are not whole, and the bytes that they need. */
export const left = { assets: new Set<Asset>(), bytes: 0 };
/** Resolves to whether each asset that came so far is stored. */
export const stores: Promise<boolean>[] = [];
export const marks: Marks = {};

/** Pieces that came before the manifest was known. */
let early: [Extract<Frame, { kind: 'piece' }>, Link][] = [];
let earlyBytes = 0;

/** Dials every offer, and looks for the manifest at the peers, in the store and at last at the origin. Resolves once the answers are sent. */
export async function download(boot: ThinBoot): Promise<void> {
  const { offers, manifest, ticket, stun } = boot;
  marks.dialled = now();
  for (const [key, { peer, offer, far, beyond }] of offers.entries()) {
    const link = newLink(key, peer, offer, far && stun, beyond);
    links.push(link);
    link.handler = handler(boot, offers[key]?.push ? new Parts() : null);
    engine.handleDial(now(), key, []);
  }
  pump();
  void askManifest(boot, manifestWait(boot));
  await answersTo(offers, links, async (group, answers) => {
    void stored(manifestKey(manifest)).then(async (kept) => kept && useManifest(boot, new Uint8Array(await kept.arrayBuffer())));
    const sent = answers.length > 0 && (await postJson('/.viral/answer', { ticket, answers }));
    for (const link of group) {
      if (link.opened || (sent && !link.closed)) continue;
      closeLink(link);
      disconnected(link);
    }
  });
}

/** How long peers may take to give it. Of a crowd only the first asks the origin at once: the others have it from those who came before. */
function manifestWait({ offers, crowd, first }: ThinBoot): number {
  if (crowd && !first && !offers.some(({ push }) => push)) return CROWD_MANIFEST_WAIT_MS;
  return offers.length && !first ? MANIFEST_WAIT_MS : 0;
}

/** What is done on a connection until the app is there; `pushed`: whether its other end sends the manifest unasked. */
export function handler(boot: ThinBoot, pushed: Parts | null): LinkHandler {
  const parts = pushed ?? new Parts();
  const { manifest } = boot;
  return {
    handleOpen(link) {
      marks.opened ??= now();
      engine.handleOpen(now(), link.key);
      sendFrame(link, { kind: 'hello', manifests: [] });
      if (!pushed && !got.bytes) sendFrame(link, { kind: 'want-manifest', manifest });
      pump();
    },
    handleFrame(link, frame) {
      if (takeControl(frame, link, frame.kind === 'hello' && frame.manifests.includes(manifest))) return;
      if (frame.kind === 'piece') {
        if (got.manifest) void takePiece(frame, link);
        else if ((earlyBytes += frame.body.length) > EARLY_BYTES_MAX) misbehaved(link);
        else early.push([frame, link]);
      } else if (frame.kind === 'manifest-part') {
        // Looked at even if the manifest came another way: a liar must not stay.
        const bytes = frame.manifest === manifest ? parts.handlePart(frame) : undefined;
        if (bytes) void useManifest(boot, bytes, link);
        else if (bytes === undefined) misbehaved(link);
      } else if (frame.kind === 'bye') {
        closeLink(link);
        disconnected(link);
      }
    },
    handleMalformed: misbehaved,
    handleClosed: disconnected,
  };
}

function misbehaved({ key }: Link): void {
  engine.handleFault(now(), key, 'malformed');
  pump();
}

/** Asks the origin for the manifest after a while, until it is there. */
export async function askManifest(boot: ThinBoot, waitMs: number): Promise<void> {
  for (let ms = waitMs; ; ms = ORIGIN_PROBE_MS) {
    await wait(ms);
    if (got.bytes) return;
    try {
      const response = await request(manifestKey(boot.manifest));
      unknown(response.status);
      if (response.ok) await useManifest(boot, new Uint8Array(await response.arrayBuffer()));
    } catch {
      // The origin is down: a peer may still bring it.
    }
  }
}

/** Takes the blob if it is the manifest that the origin named; a peer that sent another one is banned. */
async function useManifest(boot: ThinBoot, bytes: Uint8Array<ArrayBuffer>, from?: Link): Promise<void> {
  if ((await digestOf(bytes)) !== boot.manifest) {
    if (from && !from.closed) {
      ban(from, 'forged');
      disconnected(from);
    }
    return;
  }
  if (got.bytes) return;
  got.bytes = bytes;
  const decoded = decodeManifest(bytes);
  if (!decoded.ok) throw 0;
  marks.manifest = now();
  await begin(boot, decoded.value);
}

/** Takes what the store holds, then lets the engine loose on the rest: first what deploy waits for, then what most visits use, of peers only. */
async function begin(boot: ThinBoot, manifest: Manifest): Promise<void> {
  const { assets } = manifest;
  const kept = await Promise.all(assets.map(storedAsset));
  got.manifest = manifest;
  tell.whole = keepWhole;
  // A page that is put in place by a reload has no engine any more.
  const criticalCount = boot.deploy === 'reload' ? assets.length : boot.critical;
  const ringOf = (at: number): typeof CRITICAL | typeof EXPECTED => (at < criticalCount ? CRITICAL : EXPECTED);
  // Stored ones first: what they share with others need not come.
  for (const [at, record] of assets.entries()) if (kept[at]) adopt(record, ringOf(at), kept[at]);
  const pieces: [Piece[], Piece[]] = [[], []];
  const held: PieceId[] = [];
  for (const [at, record] of assets.entries()) {
    const ring = ringOf(at);
    const asset = kept[at] ? undefined : adopt(record, ring);
    if (ring === CRITICAL && asset && !asset.blob) {
      left.assets.add(asset);
      left.bytes += record.len;
    }
    pieces[ring].push(...record.pieces);
    held.push(...record.pieces.map(({ digest }) => pieceIdOf(digest)).filter((id) => !asset?.need.has(id)));
  }
  tell.begins();
  engine.addPieces(now(), pieces[CRITICAL]);
  if (!(navigator as { connection?: { saveData?: boolean } }).connection?.saveData) engine.addPieces(now(), pieces[EXPECTED], true);
  engine.handleHeld(now(), held);
  for (const [key, { push }] of boot.offers.entries()) {
    if (push?.manifest === boot.manifest) engine.handlePushAnnounced(now(), key, planned(push, distinctPieces(manifest)));
  }
  for (const [frame, link] of early) void takePiece(frame, link);
  early = [];
  pump();
  if (!left.assets.size) got.ready();
}

function keepWhole(asset: Asset, blob: Blob): void {
  stores.push(keepAsset(asset.record, blob));
  if (left.assets.delete(asset) && !left.assets.size) got.ready();
}
