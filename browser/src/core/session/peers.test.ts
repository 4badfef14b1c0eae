import { describe, expect, it } from 'vitest';
import { CONTROL_FRAMES_PER_S_MAX, DIAL_GIVEN_UP_MS, IDLE_MS } from '../generated/sessionPolicy';
import { endsAt, handleControl, met } from './peers';
import type { Met } from './search';
import { replay } from './trace.harness';
import type { Step } from './trace.harness';

type Input = { call: 'answered' | 'open' | 'frame' | 'sent' | 'closed'; peer: number } | { call: 'timeout' };

interface PeersStep extends Step<Input> {
  met: Met;
}

interface Link {
  readonly key: number;
  readonly startedAt: number;
  usedAt: number;
  opened: boolean;
}

interface Close {
  readonly kind: 'close';
  readonly peer: number;
}

/** Links as the shell keeps them, and whom it closes. */
class Links {
  readonly links = new Map<number, Link>();
  readonly #out: Close[] = [];

  apply({ now, input }: PeersStep): void {
    if (input.call === 'timeout') {
      const over = [...this.links.values()].filter((link) => endsAt(link) <= now);
      for (const { key } of over.sort((a, b) => a.key - b.key)) {
        this.links.delete(key);
        this.#out.push({ kind: 'close', peer: key });
      }
      return;
    }
    const link = this.links.get(input.peer);
    if (input.call === 'answered') this.links.set(input.peer, { key: input.peer, startedAt: now, usedAt: now, opened: false });
    else if (input.call === 'closed') this.links.delete(input.peer);
    else if (link && input.call === 'open') link.opened = true;
    // What is sent before it opened does not leave.
    else if (link && (input.call === 'frame' || link.opened)) link.usedAt = now;
  }

  poll(): Close | null {
    return this.#out.shift() ?? null;
  }

  pollTimeout(): number | null {
    const ends = [...this.links.values()].map(endsAt);
    return ends.length ? Math.min(...ends) : null;
  }
}

replay(
  'peers',
  () => new Links(),
  (links, step: PeersStep) => links.apply(step),
  (output: Close) => output,
  (links, step) => expect(met(step.now, links.links.values())).toEqual(step.met),
);

describe('a connection', () => {
  it('floods with more control frames in a second than any honest peer sends', () => {
    const link = {};
    expect(handleControl(500, link)).toBe(true);
    for (let count = 1; count < CONTROL_FRAMES_PER_S_MAX; count++) expect(handleControl(1_499, link)).toBe(true);
    expect(handleControl(1_499, link)).toBe(false);
    expect(handleControl(1_500, link)).toBe(true);
  });

  it('has 20 s to open and a minute from its last frame', () => {
    expect(endsAt({ startedAt: 500, usedAt: 900, opened: false })).toBe(500 + DIAL_GIVEN_UP_MS);
    expect(endsAt({ startedAt: 500, usedAt: 900, opened: true })).toBe(900 + IDLE_MS);
  });
});
