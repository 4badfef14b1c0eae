import { describe, expect, it } from 'vitest';
import { offReason } from './role';
import type { RoleEvidence } from './role';

const able: RoleEvidence = {
  secure: true,
  canConnect: true,
  cookie: 'a=1; viral-version=2',
  saveData: undefined,
  connectionType: undefined,
  batteryLevel: undefined,
  charging: undefined,
};

describe('the role of a visitor', () => {
  it('is to seed when nothing is known against it', () => {
    expect(offReason(able)).toBeNull();
    expect(offReason({ ...able, saveData: false, connectionType: 'wifi', batteryLevel: 0.2, charging: false })).toBeNull();
  });
  it.each([
    [{ secure: false }, 'insecure'],
    [{ canConnect: false }, 'no-webrtc'],
    [{ cookie: 'x=y; viral=off' }, 'opt-out'],
    [{ saveData: true }, 'save-data'],
    [{ connectionType: 'cellular' }, 'cellular'],
    [{ batteryLevel: 0.19, charging: false }, 'low-battery'],
  ] as const)('is off for %j', (evidence, reason) => {
    expect(offReason({ ...able, ...evidence })).toBe(reason);
  });
  it('is to seed on a low battery that is being charged', () => {
    expect(offReason({ ...able, batteryLevel: 0.05, charging: true })).toBeNull();
  });
});
