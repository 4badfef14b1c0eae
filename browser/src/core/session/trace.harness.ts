/** What the tests of a session's parts share: traces of the Rust machine, and its pieces by number. */

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { PieceId } from '../digest';

/** One call of a trace, and what must come of it. */
export interface Step<Input> {
  readonly now: number;
  readonly input: Input;
  readonly outputs: unknown[];
  readonly timeout: number | null;
}

/** What every machine has. */
export interface Machine<Output> {
  poll(): Output | null;
  pollTimeout(): number | null;
}

/** Piece `number` of a trace: its id is the number as 32 hex digits. */
export const idOf = (number: number): PieceId => number.toString(16).padStart(32, '0');
export const numberOf = (id: PieceId): number => Number.parseInt(id, 16);

/** Everything that a machine has to say now. */
export function drain<Output>(machine: Machine<Output>): Output[] {
  const outputs: Output[] = [];
  for (let output = machine.poll(); output; output = machine.poll()) outputs.push(output);
  return outputs;
}

/** Replays each trace of a folder: every step must give the same outputs and the same deadline. `apply` makes the call of a step; `numbered` says what an output is in a trace. */
export function replay<Head, Input, Output, M extends Machine<Output>, S extends Step<Input> = Step<Input>>(
  part: string,
  make: (head: Head) => M,
  apply: (machine: M, step: S) => void,
  numbered: (output: Output) => unknown = (output) => output,
  after: (machine: M, step: S, outputs: Output[]) => void = () => undefined,
): void {
  const folder = `../vectors/session/${part}`;
  const names = readdirSync(folder);
  describe(`${part} decides as in Rust`, () => {
    it('in many stories', () => expect(names.length).toBeGreaterThan(5));
    for (const name of names) {
      it(name, () => {
        const { steps, ...head } = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as { steps: S[] };
        const machine = make(head as Head);
        steps.forEach((step, at) => {
          const what = `step ${at}: ${JSON.stringify(step.input)}`;
          apply(machine, step);
          const outputs = drain(machine);
          after(machine, step, outputs);
          expect(outputs.map(numbered), what).toEqual(step.outputs);
          expect(machine.pollTimeout(), what).toBe(step.timeout);
        });
      });
    }
  });
}
