/** Replays the traces of the Rust engine; each step must give the same outputs and the same deadline. */

import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Fetch } from './fetch';
import type { FetchOutput, PeerKey, Source } from './fetch';
import { newOriginLease } from './fetch/originlease';
import type { Piece } from './manifest';

const FOLDER = '../vectors/fetch';

type Input =
  | { call: 'add-pieces' | 'add-expected' | 'add-on-demand'; lens: number[] }
  | { call: 'held' | 'demand' | 'origin-failed' | 'share'; ids: number[] }
  | { call: 'crowd'; in_crowd: boolean }
  | { call: 'dial' | 'promise' | 'have' | 'refuse'; peer: PeerKey; ids: number[] }
  | { call: 'open' | 'closed'; peer: PeerKey }
  | { call: 'beyond'; peer: PeerKey; stripe: number; stripes: number }
  | { call: 'hello'; peer: PeerKey; complete: boolean }
  | { call: 'accept'; source: PeerKey | null; id: number }
  | { call: 'piece'; source: PeerKey | null; id: number; verified: boolean }
  | { call: 'fault'; peer: PeerKey; fault: 'malformed' | 'unasked' }
  | { call: 'timeout' };

interface Step {
  now: number;
  input: Input;
  accepted?: unknown;
  outputs: unknown[];
  timeout: number | null;
}

interface Trace {
  seed: number;
  steps: Step[];
}

/** Piece `number` of a trace: its digest is the number as 32 hex digits, then zeros. */
const idOf = (number: number): string => number.toString(16).padStart(32, '0');
const digestOf = (number: number): string => idOf(number).padEnd(64, '0');
const sourceOf = (peer: PeerKey | null): Source => (peer === null ? { kind: 'origin' } : { kind: 'peer', peer });
const numbered = (output: FetchOutput): unknown =>
  'ids' in output ? { ...output, ids: output.ids.map((id) => Number.parseInt(id, 16)) } : output;

/** Makes one call; gives back what `accept` said. */
function apply(fetch: Fetch, now: number, input: Input, known: { count: number }): unknown {
  const ids = 'ids' in input ? input.ids.map(idOf) : [];
  switch (input.call) {
    case 'add-pieces':
    case 'add-expected':
    case 'add-on-demand':
      fetch.addPieces(
        now,
        input.lens.map((len) => ({ len, digest: digestOf(known.count++) })),
        input.call !== 'add-pieces',
        input.call === 'add-on-demand',
      );
      return undefined;
    case 'demand':
      return fetch.handleDemand(now, ids);
    case 'held':
      return fetch.handleHeld(now, ids);
    case 'origin-failed':
      return fetch.handleOriginFailed(now, ids);
    case 'dial':
      return fetch.handleDial(now, input.peer, ids);
    case 'promise':
      return fetch.handlePushAnnounced(now, input.peer, ids);
    case 'have':
      return fetch.handleHave(now, input.peer, ids);
    case 'refuse':
      return fetch.handleRefuse(now, input.peer, ids);
    case 'open':
      return fetch.handleOpen(now, input.peer);
    case 'beyond':
      return fetch.handleBeyond(now, input.peer, { stripe: input.stripe, stripes: input.stripes });
    case 'closed':
      return fetch.handleClosed(now, input.peer);
    case 'hello':
      return fetch.handleHello(now, input.peer, input.complete);
    case 'accept':
      return fetch.accept(sourceOf(input.source), idOf(input.id));
    case 'piece':
      return fetch.handlePiece(now, sourceOf(input.source), idOf(input.id), input.verified);
    case 'fault':
      return fetch.handleFault(now, input.peer, input.fault);
    case 'crowd':
      return fetch.handleCrowd(now, input.in_crowd ? newOriginLease : null);
    case 'share':
      return fetch.handleLease(now, ids);
    case 'timeout':
      return fetch.handleTimeout(now);
  }
}

function drain(fetch: Fetch): unknown[] {
  const outputs: unknown[] = [];
  for (let output = fetch.poll(); output; output = fetch.poll()) outputs.push(numbered(output));
  return outputs;
}

describe('the fetch engine decides as the Rust one does', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  it('in many stories', () => expect(names.length).toBeGreaterThan(30));
  for (const name of names) {
    it(name, () => {
      const trace = JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as Trace;
      const fetch = new Fetch({ seed: trace.seed });
      const known = { count: 0 };
      trace.steps.forEach(({ now, input, accepted, outputs, timeout }, at) => {
        const step = `step ${at}: ${JSON.stringify(input)}`;
        expect(apply(fetch, now, input, known), step).toEqual(accepted);
        expect(drain(fetch), step).toEqual(outputs);
        expect(fetch.pollTimeout(), step).toBe(timeout);
      });
    });
  }
});

/** Peers 1 to 4, open and complete. */
function withPeers(): Fetch {
  const fetch = new Fetch();
  for (const peer of [1, 2, 3, 4]) {
    fetch.handleDial(0, peer, []);
    fetch.handleOpen(1, peer);
    fetch.handleHello(1, peer, true);
  }
  return fetch;
}

const piecesOf = (count: number): Piece[] => Array.from({ length: count }, (_, at) => ({ len: 32_768, digest: digestOf(at) }));

/** Every peer delivers what it is asked for, sixteen pieces a millisecond; gives back the ids in the order in which they were asked for. */
function deliver(fetch: Fetch, each: (at: number) => void = () => undefined): string[] {
  const queue: { peer: PeerKey; id: string }[] = [];
  let now = 2;
  for (let at = 0, done = false; !done; ) {
    each(at);
    for (let output = fetch.poll(); output; output = fetch.poll()) {
      if (output.kind === 'want') for (const id of output.ids) queue.push({ peer: output.peer, id });
      done ||= output.kind === 'done';
    }
    const next = queue[at++];
    if (!next) break;
    now += at % 16 ? 0 : 1;
    const source: Source = { kind: 'peer', peer: next.peer };
    if (fetch.accept(source, next.id).kind === 'take') fetch.handlePiece(now, source, next.id, true);
  }
  return queue.map(({ id }) => id);
}

describe('the page expects and demands', () => {
  it('expected pieces of peers only, behind all others', () => {
    const fetch = new Fetch();
    fetch.addPieces(0, piecesOf(4));
    fetch.addPieces(0, piecesOf(8), true);
    expect(drain(fetch)).toEqual([{ kind: 'ask-origin', ids: [0, 1, 2, 3] }, { kind: 'need-peers' }]);
    const near = withPeers();
    for (const peer of [2, 3, 4]) near.handleClosed(2, peer);
    near.addPieces(2, piecesOf(4));
    near.addPieces(2, piecesOf(8), true);
    expect(deliver(near)).toEqual(piecesOf(8).map(({ digest }) => digest.slice(0, 32)));
    expect(near.progress().done).toBe(true);
  });

  it('what is demanded first, from the origin if need be', () => {
    const fetch = new Fetch();
    fetch.addPieces(0, piecesOf(4));
    fetch.addPieces(0, piecesOf(8), true);
    fetch.handleDemand(0, [7, 2, 7].map(idOf));
    fetch.handleDemand(0, [5, 2].map(idOf));
    expect(drain(fetch)).toEqual([{ kind: 'ask-origin', ids: [7, 2, 5, 0, 1, 3] }, { kind: 'need-peers' }]);
    fetch.handleDemand(0, [7].map(idOf));
    expect(drain(fetch)).toEqual([]);
  });
});

describe('the fetch engine is fast enough', () => {
  it('for an app of 10,000 pieces from four peers, in order', () => {
    const fetch = withPeers();
    fetch.addPieces(2, piecesOf(10_000));
    const began = performance.now();
    deliver(fetch);
    expect(fetch.progress()).toEqual({ held: 10_000, total: 10_000, bytesHeld: 327_680_000, bytesTotal: 327_680_000, done: true });
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it('for 10,000 expected pieces that are demanded one by one', () => {
    const fetch = withPeers();
    fetch.addPieces(2, piecesOf(10_000), true);
    const began = performance.now();
    deliver(fetch, (at) => fetch.handleDemand(2, [idOf(9_999 - at)]));
    expect(fetch.progress().done).toBe(true);
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});
