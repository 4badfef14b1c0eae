/** Leaves a visit's engine to the addition, wherever the page came from. */

import type { FaultReport } from '../core/generated/FaultReport';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { Manifest } from '../core/manifest';
import { answersTo } from './dial';
import { marks, stores } from './download';
import { assets, blobs, bytesOf, disconnected, engine, isHere, links, pump, refused, takeControl, takePiece, tell, totals } from './enginedriver';
import { leaveHandover } from './handover';
import { request } from './request';

/** From now on the addition drives it. */
export function leaveEngine(boot: ThinBoot, bytes: Uint8Array<ArrayBuffer>, manifest: Manifest, faults: FaultReport[]): void {
  const engineDriver = { engine, links, tell, assets, refused, bytesOf, isHere, pump, takePiece, takeControl, disconnected, answersTo };
  leaveHandover({ boot, bytes, manifest, blobs, stores, totals, faults, marks, engineDriver, request });
}
