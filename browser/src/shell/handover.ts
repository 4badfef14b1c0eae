/** What the loader leaves to the addition: it outlives `document.open`, because the window does. */

import type { Totals } from '../core/counts';
import type { Digest } from '../core/digest';
import type { FaultReport } from '../core/generated/FaultReport';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { Manifest } from '../core/manifest';
import { HANDOVER } from './carrier';
import type { Carrier } from './carrier';
import type { answersTo } from './dial';
import type { assets, bytesOf, engine, disconnected, isHere, links, pump, refused, takeControl, takePiece, tell } from './enginedriver';

/** Milliseconds since the navigation began, of what happened on the way to the deploy. */
export interface Marks {
  dialled?: number;
  opened?: number;
  manifest?: number;
  held?: number;
  deployed?: number;
}

/** The loader's fetch engine goes on working, for the expected ring and for what the page asks for: a full page has none and needs none. */
export interface EngineDriver {
  readonly engine: Pick<typeof engine, 'accept' | 'handleOpen' | 'handleBeyond' | 'progress' | 'handleCrowd' | 'handleLease'>;
  readonly links: typeof links;
  readonly tell: typeof tell;
  readonly assets: typeof assets;
  readonly refused: typeof refused;
  readonly bytesOf: typeof bytesOf;
  readonly isHere: typeof isHere;
  readonly pump: typeof pump;
  readonly takePiece: typeof takePiece;
  readonly takeControl: typeof takeControl;
  readonly disconnected: typeof disconnected;
  readonly answersTo: typeof answersTo;
}

/** What is left of a thin visit and goes on. Both scripts come from one build: the server answers with the addition that the loader expects. */
export interface Handover {
  readonly boot: ThinBoot;
  /** The manifest's blob. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly manifest: Manifest;
  /** Whole, verified assets by digest. */
  readonly blobs: ReadonlyMap<Digest, Blob>;
  /** Resolves to whether each asset is stored. */
  readonly stores: Promise<boolean>[];
  readonly totals: Totals;
  readonly faults: FaultReport[];
  readonly marks: Marks;
  readonly engineDriver: EngineDriver;
  /** `fetch` as it was before the site's first script. */
  readonly request: typeof fetch;
  /** Of one of a crowd: its session at the tracker, which goes on (`CrowdSession` of `join`). */
  readonly session: object | undefined;
}

/** Leaves it on the window. */
export function leaveHandover(handover: Handover): void {
  Object.defineProperty(window, HANDOVER, { value: handover, configurable: true });
}

/** Takes it; a second caller finds none. */
export function takeHandover(): Handover | undefined {
  const carrier = window as Carrier<Handover>;
  const handover = carrier[HANDOVER];
  delete carrier[HANDOVER];
  return handover;
}
