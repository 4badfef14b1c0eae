/** Leaves a visit's engine to the addition, wherever the page came from. */

import type { FaultReport } from '../core/generated/FaultReport';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { Manifest } from '../core/manifest';
import { answersTo } from './dial';
import { marks, stores } from './download';
import { assets, blobs, bytesOf, disconnected, engine, isHere, links, pump, refused, takeControl, takePiece, tell, totals } from './enginedriver';
import { leaveHandover } from './handover';
import type { EngineDriver } from './handover';
import { request } from './request';

/** The engine and what drives it, for scripts that go on with it. */
export const engineDriver: EngineDriver = { engine, links, tell, assets, refused, bytesOf, isHere, pump, takePiece, takeControl, disconnected, answersTo };

/** From now on the addition drives it; `session`: what the script of a crowd began. */
export function leaveEngine(boot: ThinBoot, bytes: Uint8Array<ArrayBuffer>, manifest: Manifest, faults: FaultReport[], session?: object): void {
  leaveHandover({ boot, bytes, manifest, blobs, stores, totals, faults, marks, engineDriver, request, session });
}
