/** Replays the traces of the Rust engine; each step must give the same outputs and the same deadline. */

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { PeerKey } from './fetch/types';
import { Upload } from './upload';
import type { UploadConfig, UploadOutput } from './upload';

const FOLDER = '../vectors/upload';

type Input =
  | { call: 'limits'; slots: number; rate: number }
  | { call: 'volume'; bytes: number }
  | { call: 'open' | 'cancel'; peer: PeerKey; ids: number[] }
  | { call: 'want'; peer: PeerKey; ids: number[]; missing: number[] }
  | { call: 'closed'; peer: PeerKey }
  | { call: 'buffered'; peer: PeerKey; bytes: number }
  | { call: 'sent'; peer: PeerKey; id: number; bytes: number }
  | { call: 'missing'; peer: PeerKey; id: number }
  | { call: 'timeout' };

interface Trace extends UploadConfig {
  steps: { now: number; input: Input; outputs: unknown[]; timeout: number | null }[];
}

const idOf = (number: number): string => number.toString(16).padStart(32, '0');
const numberOf = (id: string): number => Number.parseInt(id, 16);

function numbered(output: UploadOutput): unknown {
  if (output.kind === 'send') return { ...output, id: numberOf(output.id) };
  return output.kind === 'refuse' ? { ...output, ids: output.ids.map(numberOf) } : output;
}

function apply(upload: Upload, now: number, input: Input): void {
  switch (input.call) {
    case 'limits':
      return upload.handleLimits(now, input.slots, input.rate);
    case 'volume':
      return upload.handleVolume(now, input.bytes);
    case 'open':
      return upload.handleOpen(now, input.peer, input.ids.map(idOf));
    case 'want':
      return upload.handleWant(now, input.peer, input.ids.map(idOf), (id) => !input.missing.includes(numberOf(id)));
    case 'cancel':
      return upload.handleCancel(now, input.peer, input.ids.map(idOf));
    case 'closed':
      return upload.handleClosed(now, input.peer);
    case 'buffered':
      return upload.handleBuffered(now, input.peer, input.bytes);
    case 'sent':
      return upload.handleSent(now, input.peer, idOf(input.id), input.bytes);
    case 'missing':
      return upload.handleMissing(now, input.peer, idOf(input.id));
    case 'timeout':
      return upload.handleTimeout(now);
  }
}

describe('the upload engine decides as the Rust one does', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  it('in many stories', () => expect(names.length).toBeGreaterThan(8));
  for (const name of names) {
    it(name, () => {
      const { slots, bytesPerS, bytesMax, steps } = JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as Trace;
      const upload = new Upload({ slots, bytesPerS, bytesMax });
      steps.forEach(({ now, input, outputs, timeout }, at) => {
        const step = `step ${at}: ${JSON.stringify(input)}`;
        apply(upload, now, input);
        const said: unknown[] = [];
        for (let output = upload.poll(); output; output = upload.poll()) said.push(numbered(output));
        expect(said, step).toEqual(outputs);
        expect(upload.pollTimeout(), step).toBe(timeout);
      });
    });
  }
});
