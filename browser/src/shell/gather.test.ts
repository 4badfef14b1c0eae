import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GUESSED, Gatherer } from './gather';
import { PieceStore } from './piecestore';
import { GATHER_DELAY_MS, LOOK_UPS_MAX } from './limits';
import type { PageManifest } from './pagemanifest';
import { digestOf } from './verify';

const bytes = new TextEncoder().encode('var app;');
/** Answers of the browser's cache to one look-up after another; the last one stands. */
let cache: Response[] = [];
let lookUps: string[] = [];
let recordsAsked = 0;

const page = async (paths: readonly string[]): Promise<PageManifest> => {
  const digest = await digestOf(bytes);
  const assets = paths.map((path) => ({ path, digest, len: bytes.length, mediaType: 'text/javascript', headers: [], pieces: [{ digest, len: bytes.length }] }));
  return { manifest: { assets } } as unknown as PageManifest;
};

vi.mock('./request', () => ({
  request: (url: string): Promise<Response | undefined> => {
    if (url === '/.viral/record') return Promise.resolve(new Response(`${(recordsAsked += 1)}`));
    lookUps.push(url);
    const [answer] = cache.length > 1 ? cache.splice(0, 1) : cache;
    return Promise.resolve(answer?.clone());
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  lookUps = [];
  recordsAsked = 0;
  cache = [new Response(bytes)];
});

afterEach(() => {
  vi.useRealTimers();
});

const missing = (): Response => new Response(null, { status: 504 });

describe('what a full page used', () => {
  it('is held once the manifest is known, in whatever spelling and under the URL it was loaded by', async () => {
    const pieceStore = new PieceStore();
    const gatherer = new Gatherer(pieceStore, () => undefined);
    gatherer.handleUsed('/%61.js', 'https://a.test/%61.js?v=1', bytes.length);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookUps).toEqual([]);
    gatherer.setManifest(await page(['/a.js', '/never-used.js']));
    const looked = gatherer.look();
    await vi.advanceTimersByTimeAsync(0);
    await looked;
    expect(pieceStore.hasAsset(await digestOf(bytes))).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookUps).toEqual(['https://a.test/%61.js?v=1']);
    expect(recordsAsked).toBe(0);
  });
  it('is looked for where the page loaded it, though a guess came first, and no guess replaces that', async () => {
    cache = [missing(), new Response(bytes)];
    const pieceStore = new PieceStore();
    const gatherer = new Gatherer(pieceStore, () => undefined);
    gatherer.setManifest(await page(['/a.js']));
    gatherer.handleUsed('/a.js', '/a.js', GUESSED);
    await vi.advanceTimersByTimeAsync(GATHER_DELAY_MS + 1);
    gatherer.handleUsed('/a.js', 'https://a.test/a.js?v=1', bytes.length);
    gatherer.handleUsed('/a.js', '/a.js', GUESSED);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookUps).toEqual(['/a.js', 'https://a.test/a.js?v=1']);
    const digest = await digestOf(bytes);
    await vi.waitFor(() => expect(pieceStore.hasAsset(digest)).toBe(true));
  });
  it('is looked for a few times in all where the page asks with another query each time', async () => {
    cache = [missing()];
    const gatherer = new Gatherer(new PieceStore(), () => undefined);
    gatherer.setManifest(await page(['/a.js']));
    for (let at = 0; at < 20; at++) {
      gatherer.handleUsed('/a.js', `https://a.test/a.js?t=${at}`, bytes.length);
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect(lookUps.length).toBe(LOOK_UPS_MAX);
  });
  it('is looked for again while the cache may still be writing it, a few times and no more', async () => {
    const grew = vi.fn();
    const pieceStore = new PieceStore();
    cache = [missing(), new Response(bytes)];
    const late = new Gatherer(pieceStore, grew);
    late.setManifest(await page(['/a.js']));
    late.handleUsed('/a.js', '/a.js', bytes.length);
    await vi.advanceTimersByTimeAsync(6 * GATHER_DELAY_MS);
    await vi.waitFor(() => expect(grew).toHaveBeenCalledTimes(1));
    expect(lookUps.length).toBe(2);
    cache = [missing()];
    const never = new Gatherer(new PieceStore(), grew);
    never.setManifest(await page(['/a.js']));
    never.handleUsed('/a.js', '/a.js', bytes.length);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lookUps.length).toBe(2 + LOOK_UPS_MAX);
    expect(grew).toHaveBeenCalledTimes(1);
  });
  it('is looked for when a later manifest has it, though it was not worth a record before', async () => {
    const pieceStore = new PieceStore();
    const gatherer = new Gatherer(pieceStore, () => undefined);
    gatherer.setManifest(await page([]));
    gatherer.handleUsed('/a.js', '/a.js', bytes.length);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([lookUps.length, recordsAsked]).toEqual([0, 0]);
    gatherer.setManifest(await page(['/a.js']));
    void gatherer.look();
    await vi.advanceTimersByTimeAsync(0);
    await vi.waitFor(async () => expect(pieceStore.hasAsset(await digestOf(bytes))).toBe(true));
  });
});
