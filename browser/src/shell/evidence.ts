/** Reads what the browser says of itself, for the decision whether to seed. */

import type { RoleEvidence } from '../core/role';

interface Hints {
  readonly connection?: EventTarget & { readonly saveData?: boolean; readonly type?: string };
  getBattery?(): Promise<EventTarget & { readonly level: number; readonly charging: boolean }>;
}

const hints = navigator as Navigator & Hints;

/** The evidence now. */
export async function readEvidence(): Promise<RoleEvidence> {
  const battery = await hints.getBattery?.().catch(() => undefined);
  return {
    secure: isSecureContext,
    canConnect: 'RTCPeerConnection' in window,
    cookie: document.cookie,
    saveData: hints.connection?.saveData,
    connectionType: hints.connection?.type,
    batteryLevel: battery?.level,
    charging: battery?.charging,
  };
}

/** Calls back when the kind of connection or the charge changed. */
export function watchEvidence(changed: () => void): void {
  hints.connection?.addEventListener('change', changed);
  void hints.getBattery?.().then(
    (battery) => {
      for (const kind of ['levelchange', 'chargingchange']) battery.addEventListener(kind, changed);
    },
    () => undefined,
  );
}
