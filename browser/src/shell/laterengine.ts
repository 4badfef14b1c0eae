/** The loader's engine as the addition uses it, for assets outside the boot set. */

import { now } from './clock';
import { answersTo } from './dial';
import { assemble, engine, found, gone, links, pump, takeControl, takePiece, tell } from './leech';
import type { Engine } from './session';
import { pieceIdOf } from '../core/manifest';

/** See {@link Engine}. */
export const laterEngine: Engine = {
  links,
  get: (record, read) =>
    new Promise((resolve) => {
      engine.addPieces(now(), record.pieces);
      assemble(record, (_, blob) => resolve(blob));
      for (const { digest } of record.pieces) {
        const id = pieceIdOf(digest);
        void read(id).then((bytes) => bytes && found(id, bytes));
      }
      pump();
    }),
  answersTo,
  opened({ key }) {
    engine.handleOpen(now(), key);
    // What it holds of the page does not matter any more: what is asked for from now on lies outside.
    engine.handleHello(now(), key, false);
    pump();
  },
  takeFrame(frame, link) {
    if (frame.kind === 'piece') void takePiece(frame, link);
    return frame.kind === 'piece' || takeControl(frame, link, false);
  },
  gone,
  listen(fault, advanced) {
    Object.assign(tell, { fault, advanced, done: () => undefined });
  },
};
