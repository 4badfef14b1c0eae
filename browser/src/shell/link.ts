/** One connection to another visitor: two negotiated channels, frames in and out. */

import { candidateLine, compactFromSdp, sdpFromCompact, waitsForAnswer } from '../core/description';
import type { Description } from '../core/description';
import type { Beyond } from '../core/generated/Beyond';
import type { Offer } from '../core/generated/Offer';
import type { PeerKey } from '../core/fetch/types';
import { decodeFrame, encodeControl } from '../core/frame';
import type { Channel, ControlFrame, Frame } from '../core/frame';
import type { Push } from '../core/generated/Push';
import { stunServers } from '../core/nat';
import { now } from './clock';

/** A connection, dialled or offered. The loader leaves these to the addition, so there are no methods on them. */
export interface Link {
  /** Names the connection within this page. */
  readonly key: PeerKey;
  /** The tracker's number of the other end; of an offer nobody answered yet, 0. */
  peer: number;
  /** The offer's number, given by its maker. */
  readonly offer: number;
  /** Whether the server is asked how it sees us, for somebody of another network. */
  readonly far: boolean;
  readonly pc: RTCPeerConnection;
  readonly control: RTCDataChannel;
  readonly pieces: RTCDataChannel;
  /** When the answer was made or came, and when a frame last went either way. */
  startedAt: number;
  usedAt: number;
  opened: boolean;
  closed: boolean;
  /** Where its other end is dialled once it has our answer. */
  later: readonly string[];
  /** Who hears of what happens on it now. */
  handler?: LinkHandler;
  /** What to send the other end unasked once it opens. */
  pushPlan?: Push | null | undefined;
  /** Control frames of the current second, and when that began. */
  controlCount?: number;
  controlSince?: number;
  /** Manifests that the other end asked for; none yet if absent. */
  manifestsAsked?: number;
  /** The other end is behind another line: what of all that comes from there this page takes. */
  readonly beyond?: Beyond | undefined;
  /** How far the connection was when it ended. */
  reached?: RTCPeerConnectionState;
  /** Our description as it was then: a closed connection does not tell it everywhere. */
  sdp?: string;
}

/** Who hears of what happens on a link. */
export interface LinkHandler {
  handleOpen(link: Link): void;
  handleFrame(link: Link, frame: Frame): void;
  handleMalformed(link: Link): void;
  /** The other end is gone. Not told of a `closeLink` of our own. */
  handleClosed(link: Link): void;
}

/**
 * A new connection, not yet told anything. At the UDP ports `stun` of the page's own host the browser asks how the world sees it, and nobody else. Each has a certificate of its own: nobody can tell two of them for one page's, and none is waited for.
 */
export function newLink(key: PeerKey, peer: number, offer: number, stun?: readonly number[] | false, beyond?: Beyond): Link {
  const pc = new RTCPeerConnection({ iceServers: stunServers(location.hostname, stun || []) });
  const channel = (id: number): RTCDataChannel => pc.createDataChannel('', { negotiated: true, id });
  const at = now();
  const link: Link = { key, peer, offer, far: !!stun, pc, control: channel(0), pieces: channel(1), startedAt: at, usedAt: at, opened: false, closed: false, later: [], beyond };
  const { control, pieces } = link;
  control.binaryType = pieces.binaryType = 'arraybuffer';
  const closed = (): void => {
    if (link.closed) return;
    closeLink(link);
    link.handler?.handleClosed(link);
  };
  // Firefox delivers what came on the first channel before it says that the second is open.
  const opened = new Promise<void>((open) => {
    control.onopen = pieces.onopen = () => {
      if (link.opened || link.closed || control.readyState !== 'open' || pieces.readyState !== 'open') return;
      link.opened = true;
      open();
      link.handler?.handleOpen(link);
    };
  });
  [control, pieces].forEach((channel, id) => {
    channel.onclose = closed;
    channel.onmessage = async ({ data }: MessageEvent<unknown>) => {
      await opened;
      if (link.closed) return;
      link.usedAt = now();
      // A text message counts as an empty one, which is no frame.
      const frame = decodeFrame(id as Channel, new Uint8Array(data instanceof ArrayBuffer ? data : []));
      if (frame.ok) link.handler?.handleFrame(link, frame.value);
      else link.handler?.handleMalformed(link);
    };
  });
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === 'failed') closed();
  };
  return link;
}

/** Sends a control frame; false if the connection cannot take it. */
export const sendFrame = (link: Link, frame: ControlFrame): boolean => sendOn(link, link.control, encodeControl(frame));

/** Sends a message on a channel of the link; false if the connection cannot take it. */
export function sendOn(link: Link, channel: RTCDataChannel, message: Uint8Array<ArrayBuffer>): boolean {
  if (link.closed || !link.opened) return false;
  try {
    channel.send(message);
    link.usedAt = now();
    return true;
  } catch {
    return false;
  }
}

/** Ends a connection, with a word of why if it is open. The handler is not told. */
export function closeLink(link: Link, reason?: 1 | 2 | 3 | 4): void {
  if (reason) sendFrame(link, { kind: 'bye', reason });
  link.closed = true;
  link.reached ??= link.pc.connectionState;
  link.sdp ??= sdpOf(link.pc);
  link.pc.close();
}

/** Takes the other end's offer and makes our answer; candidates still gather, and some of the other end's wait for {@link reach}. */
export async function answerOffer(link: Link, { description, far }: Offer): Promise<void> {
  if (far) link.later = description[5].filter(waitsForAnswer);
  await link.pc.setRemoteDescription({ type: 'offer', sdp: sdpFromCompact(description, link.later) });
  await link.pc.setLocalDescription();
}

/** The other end has our answer: it is dialled everywhere. */
export function reach({ pc, later }: Link): void {
  later.forEach((text, at) => void pc.addIceCandidate({ candidate: candidateLine(text, 9 + at), sdpMid: '0' }).catch(() => undefined));
}

/** What to send of our side now: null while there is nothing to send. */
export function localDescription({ pc }: Link): Description | null {
  const compact = compactFromSdp(sdpOf(pc));
  return compact.ok ? compact.value : null;
}

/** Resolves once the connection has a candidate that the other end can use (`whole`: all of them), or has none to hope for. */
export function gathered({ pc, far }: Link, whole: boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (pc.iceGatheringState === 'complete' || (!whole && hasCandidate(pc, far))) resolve();
    };
    pc.onicegatheringstatechange = pc.onicecandidate = look;
    look();
  });
}

/** Whether a local candidate was found (`far`: one that the server told us). */
export const hasCandidate = (pc: RTCPeerConnection, far = false): boolean => sdpOf(pc).includes(far ? 'typ srflx' : 'a=candidate');

/** Our description; empty while there is none, and of a closed connection, which Firefox does not let read (it throws; measured). */
export const sdpOf = (pc: RTCPeerConnection): string => pc.connectionState === 'closed' ? '' : (pc.localDescription?.sdp ?? '');
