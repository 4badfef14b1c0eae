/** What the service worker does with what a page says: the other end of the port is played here, the streams and ports are node's own. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askPage, copied } from './ask';
import { ASK_SILENCE_MS, CREDITS, DRAIN_MS } from './limits';
import type { PageAnswer } from './workerclient';

const ask = { kind: 'viral-ask', path: '/a.bin', range: null } as const;
const request = { url: 'https://a.test/a.bin' } as Request;
const digest = 'ab'.repeat(32);
const described = (total: number) => ({ digest, headers: [['content-type', 'x/y']] as [string, string][], from: 0, to: total, total });
const bytes = (...values: number[]): ArrayBuffer => new Uint8Array(values).buffer;

/** Asks a page that does what `page` does with the port. */
function asked(page: (port: MessagePort, said: unknown[]) => unknown, range: string | null = null) {
  const said: unknown[] = [];
  const held: Promise<unknown>[] = [];
  const answer = askPage(
    { ...ask, range },
    (_, port) => {
      port.onmessage = ({ data }) => said.push(data);
      page(port, said);
    },
    50,
    request,
    (work) => held.push(work),
  );
  return { answer, said, held };
}

const say = (port: MessagePort, message: PageAnswer | ArrayBuffer | null): void => port.postMessage(message);
const heard = (said: unknown[], value: unknown): Promise<void> => vi.waitFor(() => expect(said).toContain(value));

describe('an asset that the page gives', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('is a stream of its pieces in order, and the page may send a few ahead', async () => {
    const { answer, said } = asked((port) => {
      say(port, { kind: 'coming' });
      say(port, { kind: 'begin', ...described(5) });
      say(port, bytes(1, 2));
      say(port, bytes(3, 4, 5));
      say(port, null);
    });
    const { response } = await answer;
    expect([...new Uint8Array((await response?.arrayBuffer()) ?? bytes())]).toEqual([1, 2, 3, 4, 5]);
    expect(response?.headers.get('content-type')).toBe('x/y');
    await heard(said, CREDITS);
    await heard(said, 0);
  });

  it('keeps the worker until all of it was given', async () => {
    const { answer, held } = asked((port) => {
      say(port, { kind: 'begin', ...described(2) });
      say(port, bytes(1));
      port.addEventListener('message', ({ data }) => data === 1 && say(port, bytes(2)));
    });
    const reader = (await answer).response?.body?.getReader();
    let isOver = false;
    void held[0]?.then(() => (isOver = true));
    expect([held.length, (await reader?.read())?.value?.length, isOver]).toEqual([1, 1, false]);
    await reader?.read();
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(DRAIN_MS);
    expect(isOver).toBe(true);
  });

  it('is a part with its place where a part was asked for', async () => {
    const { answer } = asked((port) => say(port, { kind: 'blob', blob: new Blob([bytes(2, 3)]), ...described(9), from: 2, to: 4 }), 'bytes=2-3');
    const { response } = await answer;
    expect([response?.status, response?.headers.get('content-range'), await response?.text()]).toEqual([206, 'bytes 2-3/9', '\u0002\u0003']);
  });

  it('is left to the network where the page says no, or says nothing', async () => {
    expect(await asked((port) => say(port, { kind: 'no', keep: false })).answer).toEqual({});
    const { answer, said } = asked(() => undefined);
    await vi.advanceTimersByTimeAsync(60);
    expect(await answer).toEqual({});
    await heard(said, 0);
  });

  it('comes from the network from where the page fell silent', async () => {
    const fetched = vi.fn(async (_: string, { headers }: { headers: { range: string } }) => {
      expect(headers.range).toBe('bytes=2-4');
      return new Response(bytes(3, 4, 5), { status: 206, headers: { etag: `"${digest.slice(0, 32)}-br"`, 'content-range': 'bytes 2-4/5' } });
    });
    vi.stubGlobal('fetch', fetched);
    const { answer } = asked((port) => {
      say(port, { kind: 'begin', ...described(5) });
      say(port, bytes(1, 2));
    });
    const body = (await answer).response?.arrayBuffer();
    await vi.advanceTimersByTimeAsync(ASK_SILENCE_MS - 1);
    expect(fetched).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10);
    expect([...new Uint8Array((await body) ?? bytes())]).toEqual([1, 2, 3, 4, 5]);
  });

  it('is not looked for elsewhere while nobody reads it, or after the network was asked', async () => {
    const fetched = vi.fn();
    vi.stubGlobal('fetch', fetched);
    const paused = asked((port) => {
      say(port, { kind: 'begin', ...described(100) });
      for (let at = 0; at < 2 * CREDITS; at++) say(port, bytes(at));
    });
    const { response } = await paused.answer;
    await heard(paused.said, CREDITS);
    let late: MessagePort | undefined;
    const { answer } = asked((port) => (late = port));
    await vi.advanceTimersByTimeAsync(60);
    expect(await answer).toEqual({});
    say(late as MessagePort, { kind: 'begin', ...described(5) });
    await vi.advanceTimersByTimeAsync(0);
    await vi.advanceTimersByTimeAsync(3 * ASK_SILENCE_MS);
    expect(fetched).not.toHaveBeenCalled();
    await response?.body?.cancel();
  });

  it('is an error, never a mix, where the site has other bytes by then', async () => {
    vi.stubGlobal('fetch', async () => new Response(bytes(9, 9, 9), { status: 206, headers: { etag: '"other"', 'content-range': 'bytes 2-4/5' } }));
    const { answer } = asked((port) => {
      say(port, { kind: 'begin', ...described(5) });
      say(port, bytes(1, 2));
      say(port, null);
    });
    await expect((await answer).response?.arrayBuffer()).rejects.toThrow('the rest');
  });

  it('is an error where the network cuts the rest short', async () => {
    vi.stubGlobal('fetch', async () => new Response(bytes(3), { status: 206, headers: { etag: `"${digest.slice(0, 32)}"`, 'content-range': 'bytes 2-4/5' } }));
    const { answer } = asked((port) => {
      say(port, { kind: 'begin', ...described(5) });
      say(port, bytes(1, 2));
      say(port, null);
    });
    await expect((await answer).response?.arrayBuffer()).rejects.toThrow('cut short');
  });

  it('is sent no further once nobody wants it', async () => {
    const { answer, said } = asked((port) => {
      say(port, { kind: 'begin', ...described(5) });
      say(port, bytes(1, 2));
    });
    const reader = (await answer).response?.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await heard(said, 0);
  });
});

describe('a copy of what the network gives', () => {
  const source = (...parts: number[][]): ReadableStream<Uint8Array<ArrayBuffer>> =>
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(new Uint8Array(part));
        controller.close();
      },
    });

  it('is whole', async () => {
    let copy: Blob | null = null;
    expect([...new Uint8Array(await new Response(copied(source([1], [2, 3]), (blob) => (copy = blob))).arrayBuffer())]).toEqual([1, 2, 3]);
    expect(await new Response(copy).text()).toBe('\u0001\u0002\u0003');
  });

  it('is none where the reader stopped', async () => {
    const give = vi.fn();
    const reader = copied(source([1], [2], [3]), give).getReader();
    await reader.read();
    await reader.cancel();
    expect(give).toHaveBeenCalledWith(null);
  });
});
