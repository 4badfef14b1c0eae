/** Replays the traces of the Rust part; each step must give the same outputs. */

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../digest';
import { Leases } from './leases';
import { drain } from './trace.harness';
import type { Machine } from './trace.harness';
import type { LeaseOutput } from './leases';

type Input =
  | { call: 'lost' | 'renamed' | 'welcome' | 'unsent' }
  | { call: 'alone'; live: boolean }
  | { call: 'early' | 'given'; places: number[] }
  | { call: 'wanted'; done: number; live: boolean };

interface Trace {
  readonly inCrowd: boolean;
  readonly asksAtOnce: boolean;
  readonly isFirst: boolean;
  readonly manifest: Digest;
  readonly steps: { input: Input; answer: boolean | null; outputs: LeaseOutput[]; asked: boolean; leasing: [boolean, boolean] }[];
}

const FOLDER = '../vectors/session/leases';

function apply(leases: Leases, manifest: Digest, input: Input): boolean | null {
  switch (input.call) {
    case 'lost':
      leases.handleLost();
      return null;
    case 'renamed':
      return leases.handleRenamed();
    case 'welcome':
      leases.handleWelcome();
      return null;
    case 'unsent':
      leases.handleUnsent();
      return null;
    case 'alone':
      leases.handleAlone(manifest, input.live);
      return null;
    case 'early':
      return leases.handleEarly(input.places);
    case 'given':
      leases.handleGiven(manifest, input.places);
      return null;
    case 'wanted':
      leases.handleWanted(manifest, input.done, input.live);
      return null;
  }
}

describe('leases decides as in Rust', () => {
  const names = readdirSync(FOLDER);
  it('in many stories', () => expect(names.length).toBeGreaterThan(8));
  for (const name of names) {
    it(name, () => {
      const trace = JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as Trace;
      const leases = new Leases(trace.inCrowd, trace.asksAtOnce, trace.isFirst);
      trace.steps.forEach(({ input, answer, outputs, asked, leasing }, at) => {
        const what = `step ${at}: ${JSON.stringify(input)}`;
        expect(apply(leases, trace.manifest, input), what).toBe(answer);
        expect(drain(leases as unknown as Machine<LeaseOutput>), what).toEqual(outputs);
        expect(leases.isAsked(), what).toBe(asked);
        expect([leases.isLeasing(false), leases.isLeasing(true)], what).toEqual(leasing);
      });
    });
  }
});
