/** What the loader leaves to the addition: it outlives `document.open`, because the window does. */

import type { Totals } from '../core/counts';
import type { Digest, PieceId } from '../core/digest';
import type { PeerFault } from '../core/fetch/types';
import type { Frame } from '../core/frame';
import type { Answer } from '../core/generated/Answer';
import type { Offer } from '../core/generated/Offer';
import type { AssetRecord, Manifest } from '../core/manifest';
import type { Link } from './link';

/** Milliseconds since the navigation began, of what happened on the way to the deploy. */
export interface Marks {
  dialled?: number;
  opened?: number;
  manifest?: number;
  held?: number;
  deployed?: number;
}

/** The loader's fetch engine, which goes on working for assets outside the boot set: a full page has none and needs none. */
export interface Engine {
  /** Connections by key; new ones are put here, too. */
  readonly links: Link[];
  /** Gets an asset from peers or the origin. `read` gives pieces that were verified earlier. */
  get(record: AssetRecord, read: (id: PieceId) => Promise<Uint8Array<ArrayBuffer> | null>): Promise<Blob>;
  answersTo(offers: readonly Offer[], links: readonly Link[]): Promise<Answer[]>;
  opened(link: Link): void;
  /** True if the frame was the engine's business. */
  takeFrame(frame: Frame, link: Link): boolean;
  gone(link: Link): void;
  /** Sets who hears of what a peer did wrong, and of pieces that came in. */
  listen(fault: (link: Link, fault: PeerFault) => void, advanced: () => void): void;
}

/** The live remains of a thin visit. */
export interface Session {
  readonly ticket: string;
  readonly digest: Digest;
  /** The manifest's blob. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly manifest: Manifest;
  /** Verified assets by digest. */
  readonly blobs: ReadonlyMap<Digest, Blob>;
  readonly certificate: RTCCertificate;
  readonly totals: Totals;
  readonly faults: readonly { readonly peer: number; readonly fault: PeerFault }[];
  readonly marks: Marks;
  readonly engine: Engine;
}

const SESSION = Symbol.for('viral.session');
type Carrier = { [SESSION]?: Session };

/** Leaves the session on the window, where scripts that list its properties do not see it. */
export function leaveSession(session: Session): void {
  Object.defineProperty(window, SESSION, { value: session, configurable: true });
}

/** Takes the session; a second caller finds none. */
export function takeSession(): Session | undefined {
  const carrier = window as Carrier;
  const session = carrier[SESSION];
  delete carrier[SESSION];
  return session;
}
