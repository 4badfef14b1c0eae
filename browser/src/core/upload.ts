/**
 * Who is served next. Sans-IO: call one `handle*`, drain `poll` until null, then sleep until `pollTimeout` and call `handleTimeout`.
 * Time is in whole milliseconds and never decreases. Same decisions as `crates/swarm/src/upload.rs`.
 */

import type { PieceId } from './digest';
import type { PeerKey } from './fetch/types';
import { BUFFER_LEN_HIGH, BUFFER_LEN_LOW, BURST_MS, DAY_MS, OVERFLOWS_MAX, PEERS_MAX, PENDING_CAPPED_MAX, PENDING_MAX, QUEUE_IDS_MAX, RATE_MAX, REFILL_MS_MAX, SLOTS, STALL_MS } from './generated/uploadPolicy';
import { WANT_IDS_MAX } from './limits';

/** Reasons of a `refuse` frame. */
export const NOT_HELD = 1;
export const BUSY = 2;
export const CAPPED = 3;

/** Never. */
const NEVER = Infinity;

/** What may differ between two engines. */
export interface UploadConfig {
  /** Peers served at the same time. */
  readonly slots: number;
  /** Cap in bytes per second over all peers, on the wire; 0 = none. At most 2^36. */
  readonly bytesPerS: number;
  /** Cap in bytes for each {@link DAY_MS} of the engine's time, on the wire; 0 = none. */
  readonly bytesMax: number;
  /** Bytes of the first such day that were given before the engine began. */
  readonly bytesGiven: number;
}

/** What the shell must do next. */
export type UploadOutput =
  /** Read the piece and send it; then `handleSent`, or `handleMissing` when it is not there any more. */
  | { readonly kind: 'send'; readonly peer: PeerKey; readonly id: PieceId }
  | { readonly kind: 'refuse'; readonly peer: PeerKey; readonly reason: 1 | 2 | 3; readonly ids: readonly PieceId[] }
  /** Close the connection and report the fault; the engine has forgotten the peer already. */
  | { readonly kind: 'drop'; readonly peer: PeerKey; readonly fault: 'malformed' | 'silent' };

interface UploadQueue {
  readonly peer: PeerKey;
  /** Pieces to send, in order. */
  readonly pieces: Set<PieceId>;
  /** Pieces of the push plan, so that a `want` that crossed the push is not served twice. */
  readonly pushed: Set<PieceId>;
  /** Handed to the shell and not yet reported sent. */
  readonly pending: Set<PieceId>;
  buffered: number;
  /** The channel was full and is not yet low. */
  full: boolean;
  /** When the channel last moved while it was full. */
  since: number;
  overflows: number;
}

/** Serves the peers of one page. */
export class Upload {
  readonly #queues = new Map<PeerKey, UploadQueue>();
  readonly #out: UploadOutput[] = [];
  #slots: number;
  #rate: number;
  /** The volume cap of each day, what of this day's was given, and when the next begins. */
  #volume: number;
  #given: number;
  #dayEnds = DAY_MS;
  #now = 0;
  /** Thousandths of bytes that may be sent now; negative = in debt. */
  #tokens: number;

  constructor(config: Partial<UploadConfig> = {}) {
    this.#slots = config.slots ?? SLOTS;
    this.#rate = Math.min(config.bytesPerS ?? 0, RATE_MAX);
    this.#volume = config.bytesMax ?? 0;
    this.#given = config.bytesGiven ?? 0;
    this.#tokens = this.#rate * BURST_MS;
  }

  /** The slots and the rate the tracker or the visitor's settings allow now. Queued pieces stay queued, unless nobody is served any more. */
  handleLimits(now: number, slots: number, bytesPerS: number): void {
    this.#at(now);
    this.#slots = slots;
    this.#rate = Math.min(bytesPerS, RATE_MAX);
    this.#tokens = Math.min(this.#tokens, this.#rate * BURST_MS);
    if (!slots) this.#clear(BUSY);
  }

  /** The volume that the tracker or the operator allow in each day now; 0 = any. What was given of this day's counts. */
  handleVolume(now: number, bytesMax: number): void {
    this.#at(now);
    this.#volume = bytesMax;
    this.#charge(0);
  }

  /** Whether nothing more is given this day. */
  isSpent(): boolean {
    return this.#volume > 0 && this.#given >= this.#volume;
  }

  /** Both channels of a peer opened; `push` is sent unasked. */
  handleOpen(now: number, peer: PeerKey, push: readonly PieceId[]): void {
    this.#at(now);
    if (this.#queues.has(peer) || this.#queues.size >= PEERS_MAX) return;
    const queue: UploadQueue = { peer, pieces: new Set(), pushed: new Set(), pending: new Set(), buffered: 0, full: false, since: 0, overflows: 0 };
    this.#queues.set(peer, queue);
    for (const id of this.#enqueue(queue, [...new Set(push)])) queue.pushed.add(id);
  }

  /** A peer asks for pieces; `held` tells which ones are here, verified. */
  handleWant(now: number, peer: PeerKey, ids: readonly PieceId[], held: (id: PieceId) => boolean): void {
    this.#at(now);
    const queue = this.#queues.get(peer);
    if (!queue) return;
    const fresh = [...new Set(ids)].filter((id) => !queue.pieces.has(id) && !queue.pending.has(id) && !queue.pushed.delete(id));
    this.#refuse(queue, NOT_HELD, fresh.filter((id) => !held(id)));
    this.#enqueue(queue, fresh.filter(held));
  }

  /** A peer no longer wants these. */
  handleCancel(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    this.#at(now);
    const queue = this.#queues.get(peer);
    for (const id of ids) if (queue?.pieces.delete(id)) queue.pushed.delete(id);
  }

  /** A peer's connection ended. */
  handleClosed(now: number, peer: PeerKey): void {
    this.#at(now);
    this.#queues.delete(peer);
  }

  /**
   * What the peer's channel has buffered now, in bytes: to be told after each send and at each low event. Sums of what was sent would not do:
   * a channel that drains below the low mark as fast as it is filled has no low event.
   */
  handleBuffered(now: number, peer: PeerKey, bytes: number): void {
    this.#at(now);
    const queue = this.#queues.get(peer);
    if (queue) this.#buffer(queue, bytes);
  }

  /** A piece was handed to the channel: `wireBytes` with its frame. {@link handleBuffered} goes before it. */
  handleSent(now: number, peer: PeerKey, id: PieceId, wireBytes: number): void {
    this.#at(now);
    if (this.#rate) this.#tokens -= wireBytes * 1000;
    this.#charge(wireBytes);
    this.#queues.get(peer)?.pending.delete(id);
  }

  /** A piece that was to be sent is not there any more. */
  handleMissing(now: number, peer: PeerKey, id: PieceId): void {
    this.#at(now);
    const queue = this.#queues.get(peer);
    if (!queue) return;
    queue.pending.delete(id);
    queue.pushed.delete(id);
    this.#refuse(queue, NOT_HELD, [id]);
  }

  /** Time passed. */
  handleTimeout(now: number): void {
    this.#at(now);
    for (const queue of [...this.#queues.values()]) if (queue.full && queue.since + STALL_MS <= this.#now) this.#drop(queue, 'silent');
  }
  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): UploadOutput | null {
    const said = this.#out.shift();
    if (said) return said;
    if (this.#rate && this.#tokens <= 0) return null;
    for (const queue of this.#queues.values()) {
      if (!this.#sendable(queue)) continue;
      const [id] = queue.pieces;
      queue.pieces.delete(id!);
      queue.pending.add(id!);
      // Whoever was served goes to the end of the queue.
      this.#queues.delete(queue.peer);
      this.#queues.set(queue.peer, queue);
      return { kind: 'send', peer: queue.peer, id: id! };
    }
    return null;
  }

  /** When to call {@link handleTimeout}; null = not needed. */
  pollTimeout(): number | null {
    let at = NEVER;
    for (const queue of this.#queues.values()) {
      if (queue.full) at = Math.min(at, queue.since + STALL_MS);
      if (this.#rate && this.#tokens <= 0 && this.#sendable(queue)) at = Math.min(at, this.#now + Math.floor(-this.#tokens / this.#rate) + 1);
    }
    return at === NEVER ? null : at;
  }

  #at(now: number): void {
    const ms = Math.min(Math.max(now - this.#now, 0), REFILL_MS_MAX);
    this.#now = Math.max(this.#now, now);
    this.#tokens = Math.min(this.#rate * BURST_MS, this.#tokens + ms * this.#rate);
    if (this.#now >= this.#dayEnds) {
      this.#given = 0;
      this.#dayEnds = this.#now + DAY_MS;
    }
  }

  #charge(wireBytes: number): void {
    this.#given += wireBytes;
    if (this.isSpent()) this.#clear(CAPPED);
  }

  #sendable(queue: UploadQueue): boolean {
    return queue.pieces.size > 0 && !queue.full && queue.pending.size < (this.#rate || this.#volume ? PENDING_CAPPED_MAX : PENDING_MAX);
  }

  /** Puts pieces into the peer's queue; refuses what has no place there. Gives back what has. */
  #enqueue(queue: UploadQueue, ids: readonly PieceId[]): readonly PieceId[] {
    if (this.isSpent()) {
      this.#refuse(queue, CAPPED, ids);
      return [];
    }
    const serving = [...this.#queues.values()].filter((other) => other.pieces.size || other.pending.size);
    const served = this.#slots > 0 && serving.includes(queue);
    const room = served || serving.length < this.#slots ? QUEUE_IDS_MAX - queue.pieces.size : 0;
    const placed = ids.slice(0, room);
    for (const id of placed) queue.pieces.add(id);
    this.#refuse(queue, BUSY, ids.slice(room));
    if (served && room < ids.length && ++queue.overflows > OVERFLOWS_MAX) this.#drop(queue, 'malformed');
    return placed;
  }

  /** Refuses all that is queued. */
  #clear(reason: 2 | 3): void {
    for (const queue of this.#queues.values()) {
      const ids = [...queue.pieces];
      queue.pieces.clear();
      queue.pushed.clear();
      this.#refuse(queue, reason, ids);
    }
  }

  #refuse(queue: UploadQueue, reason: 1 | 2 | 3, ids: readonly PieceId[]): void {
    for (let i = 0; i < ids.length; i += WANT_IDS_MAX) {
      this.#out.push({ kind: 'refuse', peer: queue.peer, reason, ids: ids.slice(i, i + WANT_IDS_MAX) });
    }
  }

  #buffer(queue: UploadQueue, bytes: number): void {
    const full = queue.full ? bytes > BUFFER_LEN_LOW : bytes >= BUFFER_LEN_HIGH;
    if (bytes < queue.buffered || !queue.full) queue.since = this.#now;
    queue.buffered = bytes;
    queue.full = full;
  }

  #drop(queue: UploadQueue, fault: 'malformed' | 'silent'): void {
    this.#queues.delete(queue.peer);
    this.#out.push({ kind: 'drop', peer: queue.peer, fault });
  }
}
