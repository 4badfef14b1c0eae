/** Whether this visitor may seed, from what the browser says of itself. */

import { isOptedOut } from './cookie';

/** What the shell read from the browser. Unknown things are `undefined`, and never count against seeding. */
export interface RoleEvidence {
  readonly secure: boolean;
  readonly canConnect: boolean;
  readonly cookie: string;
  readonly saveData: boolean | undefined;
  /** `navigator.connection.type`; only some platforms tell it. */
  readonly connectionType: string | undefined;
  /** 0 to 1, and whether it is being charged. */
  readonly batteryLevel: number | undefined;
  readonly charging: boolean | undefined;
}

/** Why a visitor does not seed. */
export type OffReason = 'insecure' | 'no-webrtc' | 'opt-out' | 'save-data' | 'cellular' | 'low-battery';

/** Below this charge an unplugged device is left alone, as a share of 1. */
export const BATTERY_LEVEL_MIN = 0.2;

/** The first reason not to seed, or null. */
export function offReason(evidence: RoleEvidence): OffReason | null {
  if (!evidence.secure) return 'insecure';
  if (!evidence.canConnect) return 'no-webrtc';
  if (isOptedOut(evidence.cookie)) return 'opt-out';
  if (evidence.saveData) return 'save-data';
  if (evidence.connectionType === 'cellular') return 'cellular';
  if (evidence.charging === false && (evidence.batteryLevel ?? 1) < BATTERY_LEVEL_MIN) return 'low-battery';
  return null;
}
