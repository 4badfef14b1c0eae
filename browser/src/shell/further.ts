/** The loader's engine, live on in a deployed page, at the service of what the page needs next. */

import { pieceIdOf } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import type { Frame } from '../core/frame';
import { now } from './clock';
import type { Holdings } from './holdings';
import type { Link } from './link';
import type { LiveLeech } from './session';

/** Gets an asset from peers or the origin; pieces that are held already are not asked for. */
export function getFurther({ engine, assemble, found, pump }: LiveLeech, record: AssetRecord, holdings: Holdings): Promise<Blob> {
  return new Promise((resolve) => {
    engine.addPieces(now(), record.pieces);
    assemble(record, (_, blob) => resolve(blob));
    for (const { digest } of record.pieces) {
      const id = pieceIdOf(digest);
      void holdings.raw(id).then((bytes) => bytes && found(id, bytes));
    }
    pump();
  });
}

/** A connection opened: whatever it holds of the page does not matter any more, what is asked for from now on lies outside. */
export function openFurther({ engine, pump }: LiveLeech, { key }: Link): void {
  engine.handleOpen(now(), key);
  engine.handleHello(now(), key, false);
  pump();
}

/** True if the frame was the engine's business; `grew` hears when a piece was looked at. */
export function takeFurther({ takePiece, takeControl }: LiveLeech, frame: Frame, link: Link, grew: () => void): boolean {
  if (frame.kind !== 'piece') return takeControl(frame, link, false);
  void takePiece(frame, link).then(grew);
  return true;
}
