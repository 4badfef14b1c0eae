import { describe, expect, it } from 'vitest';
import { deployPath } from './deploypath';
import type { DeployEvidence } from './deploypath';

const ready: DeployEvidence = { wanted: 'reload', workerReady: true, stored: true, reloadedBefore: false };

describe('the way to put the app in place', () => {
  it('is to write where the headers allow it, even without a worker or a store', () => {
    expect(deployPath({ wanted: 'write', workerReady: false, stored: false, reloadedBefore: true })).toBe('write');
  });
  it('is to reload where the headers demand it', () => {
    expect(deployPath(ready)).toBe('reload');
  });
  it.each([{ workerReady: false }, { stored: false }, { reloadedBefore: true }])('is plain when a reload is needed but %j', (lack) => {
    expect(deployPath({ ...ready, ...lack })).toBe('plain');
  });
});
