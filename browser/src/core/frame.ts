/** The messages peers exchange on the two data channels of a connection. Names and errors match `crates/wire/src/frame.rs`. */

import { concat, readerOf, uintBytes } from './bytes';
import type { Reader } from './bytes';
import { bytesOf } from './digest';
import type { Digest, PieceId } from './digest';
import {
  FRAME_VERSION,
  HELLO_MANIFESTS_MAX,
  MANIFEST_LEN_MAX,
  MANIFEST_PART_LEN_MAX,
  MESSAGE_LEN_MAX,
  PIECE_LEN_MAX,
  QUERY_IDS_MAX,
  WANT_IDS_MAX,
} from './limits';
import { attempt } from './result';
import type { Result } from './result';

/** Not held, busy, capped. */
export type RefuseReason = 1 | 2 | 3;

/** Leaving, fault, idle, opted out. */
export type ByeReason = 1 | 2 | 3 | 4;

/** Raw, deflate-raw. */
export type Encoding = 0 | 1;

/** Control, pieces. */
export type Channel = 0 | 1;

/** One message on a data channel. */
export type Frame =
  | { readonly kind: 'hello'; readonly manifests: readonly Digest[] }
  | { readonly kind: 'want' | 'cancel' | 'query' | 'have'; readonly ids: readonly PieceId[] }
  | { readonly kind: 'refuse'; readonly reason: RefuseReason; readonly ids: readonly PieceId[] }
  | { readonly kind: 'want-manifest'; readonly manifest: Digest }
  | { readonly kind: 'bye'; readonly reason: ByeReason }
  | { readonly kind: 'piece'; readonly id: PieceId; readonly encoding: Encoding; readonly body: Uint8Array<ArrayBuffer> }
  | {
      readonly kind: 'manifest-part';
      readonly manifest: Digest;
      readonly offset: number;
      readonly total: number;
      readonly body: Uint8Array<ArrayBuffer>;
    };

/** Why bytes from a remote are not a frame. Always the sender's fault: close, never retry. */
export type FrameError =
  | 'too-long'
  | 'truncated'
  | 'trailing'
  | 'unknown-type'
  | 'wrong-channel'
  | 'version'
  | 'count'
  | 'reason'
  | 'encoding'
  | 'body-len'
  | 'part';

type Refuse = (error: FrameError) => never;

/** Type byte of each kind. */
const TYPES = {
  hello: 0x01,
  want: 0x02,
  cancel: 0x03,
  query: 0x04,
  have: 0x05,
  refuse: 0x06,
  'want-manifest': 0x07,
  bye: 0x08,
  piece: 0x20,
  'manifest-part': 0x21,
} as const;

/** What only somebody who serves sends. */
export type ServingFrame = Extract<Frame, { kind: 'piece' | 'manifest-part' | 'refuse' }>;

/** Everything that somebody who only downloads sends. */
export type ControlFrame = Exclude<Frame, ServingFrame>;

/** The message for this frame, whose lists and bodies the caller keeps within their limits. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  return frame.kind === 'refuse' || frame.kind === 'piece' || frame.kind === 'manifest-part' ? encodeServing(frame) : encodeControl(frame);
}

/** [`encodeFrame`] for what only somebody who serves sends. */
export function encodeServing(frame: ServingFrame): Uint8Array<ArrayBuffer> {
  switch (frame.kind) {
    case 'refuse':
      return concat([TYPES.refuse, frame.reason], idBytes(frame.ids));
    case 'piece':
      return concat([TYPES.piece], bytesOf(frame.id), [frame.encoding], frame.body);
    case 'manifest-part':
      return concat([TYPES['manifest-part']], bytesOf(frame.manifest), uintBytes(frame.offset, 4), uintBytes(frame.total, 4), frame.body);
  }
}

/** [`encodeFrame`] for what a download sends; apart, because the loader carries no more than that. */
export function encodeControl(frame: ControlFrame): Uint8Array<ArrayBuffer> {
  const type = TYPES[frame.kind];
  switch (frame.kind) {
    case 'hello':
      return concat([type, FRAME_VERSION, frame.manifests.length], bytesOf(frame.manifests.join('')));
    case 'want-manifest':
      return concat([type], bytesOf(frame.manifest));
    case 'bye':
      return concat([type, frame.reason]);
    default:
      return concat([type], idBytes(frame.ids));
  }
}

/** Reads one message that arrived on `channel`. A body is a view of it, not a copy. */
export function decodeFrame(channel: Channel, message: Uint8Array<ArrayBuffer>): Result<Frame, FrameError> {
  return attempt((refuse: Refuse) => {
    if (message.length > MESSAGE_LEN_MAX) refuse('too-long');
    const reader = readerOf(message, refuse as (error: 'truncated' | 'varint') => never);
    const type = reader.uint(1);
    const kind = (Object.keys(TYPES) as Frame['kind'][]).find((name) => TYPES[name] === type) ?? refuse('unknown-type');
    if (type >> 5 !== channel) refuse('wrong-channel');
    const frame = takeFrame(kind, reader, refuse);
    if (reader.left()) refuse('trailing');
    return frame;
  });
}

const idBytes = (ids: readonly PieceId[]): Uint8Array<ArrayBuffer> => concat(uintBytes(ids.length, 2), bytesOf(ids.join('')));

function takeFrame(kind: Frame['kind'], reader: Reader, refuse: Refuse): Frame {
  const names = (count: number, min: number, max: number, len: number): string[] =>
    count < min || count > max ? refuse('count') : Array.from({ length: count }, () => reader.hex(len));
  const ids = (min: number, max: number): PieceId[] => names(reader.uint(2), min, max, 16);
  const byte = <T extends number>(min: T, max: T, error: FrameError): T => {
    const value = reader.uint(1);
    return value < min || value > max ? refuse(error) : (value as T);
  };
  const body = (max: number): Uint8Array<ArrayBuffer> => {
    const len = reader.left();
    return !len || len > max ? refuse('body-len') : reader.take(len);
  };
  switch (kind) {
    case 'hello':
      byte(FRAME_VERSION, FRAME_VERSION, 'version');
      return { kind, manifests: names(reader.uint(1), 0, HELLO_MANIFESTS_MAX, 32) };
    case 'want':
    case 'cancel':
      return { kind, ids: ids(1, WANT_IDS_MAX) };
    case 'query':
      return { kind, ids: ids(1, QUERY_IDS_MAX) };
    case 'have':
      return { kind, ids: ids(0, QUERY_IDS_MAX) };
    case 'refuse':
      return { kind, reason: byte<RefuseReason>(1, 3, 'reason'), ids: ids(1, WANT_IDS_MAX) };
    case 'want-manifest':
      return { kind, manifest: reader.hex(32) };
    case 'bye':
      return { kind, reason: byte<ByeReason>(1, 4, 'reason') };
    case 'piece':
      return { kind, id: reader.hex(16), encoding: byte<Encoding>(0, 1, 'encoding'), body: body(PIECE_LEN_MAX) };
    case 'manifest-part': {
      const part = { kind, manifest: reader.hex(32), offset: reader.uint(4), total: reader.uint(4), body: body(MANIFEST_PART_LEN_MAX) };
      return part.total > MANIFEST_LEN_MAX || part.offset + part.body.length > part.total ? refuse('part') : part;
    }
  }
}
