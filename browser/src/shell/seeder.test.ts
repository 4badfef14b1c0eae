import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noTotals } from '../core/counts';
import type { Totals } from '../core/counts';
import type { Frame } from '../core/frame';
import type { PeerToTracker } from '../core/generated/PeerToTracker';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';
import { CONTROL_FRAMES_PER_S_MAX, HAVE_MS, REPORT_MS } from '../core/generated/sessionPolicy';
import { decodeFrame } from '../core/frame';
import type { Piece } from '../core/manifest';
import { Report } from '../core/session/report';
import type { answersTo } from './dial';
import type { Link } from './link';
import type { PageManifest } from './pagemanifest';
import { PieceStore } from './piecestore';
import { Seeder } from './seeder';
import type { SeederHost } from './seeder';

vi.mock('./request', () => ({ request: () => Promise.reject(new Error('offline')) }));

const MANIFEST = 'ab'.repeat(32);
const piece = (number: number): Piece => ({ len: 1_000, digest: number.toString(16).padStart(32, '0').padEnd(64, '0') });
const idOf = (number: number): string => piece(number).digest.slice(0, 32);

/** The tracker's end of a session. */
class Socket {
  static readonly OPEN = 1;
  static last: Socket;
  readyState = 0;
  readonly heard: PeerToTracker[] = [];
  onopen = (): void => undefined;
  onmessage = (event: { data: string }): void => void event;
  onclose = (): void => undefined;

  constructor() {
    Socket.last = this;
  }

  send(text: string): void {
    this.heard.push(JSON.parse(text) as PeerToTracker);
  }

  open(): void {
    this.readyState = Socket.OPEN;
    this.onopen();
  }

  close(): void {
    this.readyState = 3;
  }

  say(signal: TrackerToPeer): void {
    this.onmessage({ data: JSON.stringify(signal) });
  }

  /** What was heard since the last time. */
  take(): PeerToTracker[] {
    return this.heard.splice(0);
  }
}

/** An open connection that notes what is sent on it. */
function linkTo(key: number, sent: Frame[]): Link {
  const channel = (id: 0 | 1): RTCDataChannel =>
    ({
      send(message: Uint8Array<ArrayBuffer>) {
        const frame = decodeFrame(id, message);
        if (frame.ok) sent.push(frame.value);
      },
      bufferedAmount: 0,
    }) as unknown as RTCDataChannel;
  const pc = { close: () => undefined } as unknown as RTCPeerConnection;
  return { key, peer: 100 + key, offer: 1, pc, control: channel(0), pieces: channel(1), startedAt: 0, usedAt: 0, far: false, opened: true, closed: false, later: [] };
}

/** A page of three pieces, of which those named are held. */
function pageOf(held: Set<string>): PageManifest {
  const pieces = [1, 2, 3].map(piece);
  return { digest: MANIFEST, bytes: new Uint8Array(1), manifest: { assets: [] }, pieces, held: { pieces: held.size, bytes: 0 } };
}

/** Of the last dial: what its answers are sent with. */
let send: Parameters<typeof answersTo>[2];
const answering: typeof answersTo = async (_offers, _links, sender) => void (send = sender);

let held: Set<string>;
let totals: Totals;
let done: boolean;

function start(thin: boolean): Seeder {
  const pieceStore = Object.assign(new PieceStore(), { has: (id: string) => held.has(id) });
  const engine = { progress: () => ({ done }), handleOpen: () => undefined };
  const engineDriver = { engine, tell: {}, links: [], pump: () => undefined, takeControl: () => false, disconnected: () => undefined, answersTo: answering };
  const host = {
    page: '/',
    pieceStore,
    totals,
    report: new Report(totals),
    handover: thin ? { boot: { manifest: MANIFEST, ticket: 'ticket' }, engineDriver } : undefined,
    hold: async () => pageOf(held),
    welcomed: () => undefined,
    handleUsed: () => undefined,
    changed: () => undefined,
    handleDropped: () => undefined,
  };
  const seeder = new Seeder(host as unknown as SeederHost);
  seeder.start(pageOf(held));
  Socket.last.open();
  return seeder;
}

const welcome = (): void => Socket.last.say({ kind: 'welcome', peer: 7, offers_wanted: 0, slots: 8, up_bytes_per_s: 0 });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', Socket);
  vi.stubGlobal('location', { origin: 'https://a.test' });
  held = new Set([idOf(1)]);
  totals = noTotals();
  done = true;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('answers to those behind a NAT', () => {
  const answer = { peer: 5, offer: 1, description: 'v=0' };

  /** Sends answers on a link some of whose addresses wait; whether it was told that they left. */
  function sent(): { left: () => boolean } {
    Socket.last.say({ kind: 'peers', offers: [] });
    const link = { ...linkTo(1, []), later: ['u|203.0.113.7|50001|a|s'] };
    let isLeft = false;
    void Promise.resolve(send([link], [answer])).then(() => (isLeft = true));
    return { left: () => isLeft };
  }

  it('are told of by their number when they left, whichever leaves first', async () => {
    start(true);
    welcome();
    Socket.last.take();
    const waiting = [sent(), sent(), sent()];
    expect(Socket.last.take()).toEqual([1, 2, 3].map((tell) => ({ kind: 'answers', answers: [answer], tell })));
    Socket.last.say({ kind: 'relayed', tell: 2 });
    Socket.last.say({ kind: 'relayed', tell: 7 });
    await vi.advanceTimersByTimeAsync(0);
    expect(waiting.map(({ left }) => left())).toEqual([false, true, false]);
    Socket.last.readyState = 3;
    Socket.last.onclose();
    await vi.advanceTimersByTimeAsync(0);
    expect(waiting.map(({ left }) => left())).toEqual([true, true, true]);
  });

  it('are not told of where nothing waits or nothing is sent', async () => {
    start(true);
    welcome();
    Socket.last.take();
    Socket.last.say({ kind: 'peers', offers: [] });
    expect(send([linkTo(1, [])], [answer])).toBe(false);
    expect(send([], [])).toBe(0);
    expect(Socket.last.take()).toEqual([{ kind: 'answers', answers: [answer] }]);
  });
});

describe('a page with a session', () => {
  it('says what it holds as soon as it is welcome, and what grew a second later', async () => {
    const seeder = start(false);
    expect(Socket.last.take()).toMatchObject([{ kind: 'register', page: '/', manifest: MANIFEST, ticket: null, slots: 8 }]);
    welcome();
    expect(Socket.last.take()).toEqual([{ kind: 'held', manifest: MANIFEST, pieces: 1, bytes: 1_000 }]);
    held.add(idOf(2));
    totals.bytes.bytes_to_peers = 500;
    seeder.handleKept(idOf(2));
    await vi.advanceTimersByTimeAsync(REPORT_MS - 1);
    expect(Socket.last.take()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(Socket.last.take()).toMatchObject([{ kind: 'held', pieces: 2 }, { kind: 'counts', bytes_to_peers: 500 }]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Socket.last.take()).toEqual([]);
  });

  it('tells a new session what it holds, and nothing of what grew twice', async () => {
    const seeder = start(false);
    welcome();
    totals.bytes.bytes_from_origin = 900;
    seeder.grew();
    await vi.advanceTimersByTimeAsync(2 * REPORT_MS);
    expect(Socket.last.take().map(({ kind }) => kind)).toEqual(['register', 'held', 'counts']);
    const lost = Socket.last;
    lost.readyState = 3;
    lost.onclose();
    totals.bytes.bytes_from_origin = 1_000;
    seeder.grew();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(Socket.last).not.toBe(lost);
    Socket.last.open();
    welcome();
    expect(Socket.last.take()).toMatchObject([{ kind: 'register' }, { kind: 'held', pieces: 1 }, { kind: 'counts', bytes_from_origin: 100 }]);
  });

  it('tells a last time what grew when it leaves', () => {
    const seeder = start(false);
    welcome();
    Socket.last.take();
    totals.bytes.bytes_to_peers = 70;
    seeder.stop(1);
    expect(Socket.last.take()).toMatchObject([{ kind: 'counts', bytes_to_peers: 70 }]);
  });

  it('looks for peers while something is missing, and no longer', async () => {
    done = false;
    start(true);
    welcome();
    await vi.advanceTimersByTimeAsync(2);
    expect(Socket.last.take()).toMatchObject([{ kind: 'register', ticket: 'ticket' }, { kind: 'held' }, { kind: 'find', manifest: MANIFEST, count: 4 }]);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(Socket.last.take()).toMatchObject([{ kind: 'find' }, { kind: 'find' }]);
    done = true;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(Socket.last.take()).toEqual([]);
  });

  it('asks for its page once more when its join ticket is refused, and comes back', async () => {
    const asked: unknown[] = [];
    vi.stubGlobal('fetch', (...request: unknown[]) => {
      asked.push(request);
      return Promise.reject(new Error('offline'));
    });
    start(false);
    Socket.last.say({ kind: 'error', code: 'unknown', message: 'something else' });
    expect(asked).toEqual([]);
    const refuse = (): Socket => {
      const refused = Socket.last;
      refused.say({ kind: 'error', code: 'ticket', message: 'ran out' });
      refused.readyState = 3;
      refused.onclose();
      return refused;
    };
    const first = refuse();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([['/', { method: 'HEAD' }]]);
    expect(Socket.last).not.toBe(first);
    const second = refuse();
    await vi.advanceTimersByTimeAsync(100);
    expect(Socket.last).toBe(second);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(Socket.last).not.toBe(second);
    expect(asked.length).toBe(2);
  });

  it('looks for none as a page that came whole', async () => {
    start(false);
    welcome();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Socket.last.take().map(({ kind }) => kind)).toEqual(['register', 'held']);
  });
});

describe('a peer of a page', () => {
  it('is told what is here when it asks, and of the rest once it comes', async () => {
    const seeder = start(false);
    const sent: Frame[] = [];
    const link = linkTo(1, sent);
    seeder.peers.add(link);
    seeder.peers.handleFrame(link, { kind: 'query', ids: [idOf(1), idOf(2), idOf(3)] });
    expect(sent).toEqual([{ kind: 'have', ids: [idOf(1)] }]);
    held.add(idOf(2));
    seeder.handleKept(idOf(2));
    seeder.peers.handleFrame(link, { kind: 'have', ids: [idOf(3)] });
    held.add(idOf(3));
    seeder.handleKept(idOf(3));
    await vi.advanceTimersByTimeAsync(HAVE_MS + 2);
    expect(sent.slice(1)).toEqual([{ kind: 'have', ids: [idOf(2)] }]);
  });

  it('is refused once the day has no volume left, and nobody else is offered anything', async () => {
    const made = vi.fn();
    vi.stubGlobal('RTCPeerConnection', made);
    totals.bytes.bytes_to_peers = 1_000;
    const seeder = start(false);
    const sent: Frame[] = [];
    const link = linkTo(1, sent);
    seeder.peers.add(link);
    Socket.last.say({ kind: 'welcome', peer: 7, offers_wanted: 2, slots: 8, up_bytes_per_s: 0, up_bytes_per_day: 1_000 });
    seeder.peers.handleFrame(link, { kind: 'want', ids: [idOf(1)] });
    expect(seeder.peers.isSpent()).toBe(true);
    expect(made).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10);
    expect(seeder.ready).toBe(false);
  });

  it('is refused from when the tracker wants nothing given any more', () => {
    const seeder = start(false);
    const upload: [number, number, number | undefined][] = [];
    seeder.peers.limit = ({ slots, up_bytes_per_s, up_bytes_per_day }) => void upload.push([slots, up_bytes_per_s, up_bytes_per_day]);
    welcome();
    Socket.last.say({ kind: 'limits', slots: 0, up_bytes_per_s: 9 });
    Socket.last.say({ kind: 'limits', slots: 4, up_bytes_per_s: 0, up_bytes_per_day: 5 });
    expect(upload).toEqual([[8, 0, undefined], [0, 9, undefined], [4, 0, 5]]);
  });

  it('is dropped and reported when it floods', () => {
    const seeder = start(false);
    const link = linkTo(1, []);
    seeder.peers.add(link);
    welcome();
    Socket.last.take();
    for (let count = 0; count < CONTROL_FRAMES_PER_S_MAX; count++) seeder.peers.handleFrame(link, { kind: 'cancel', ids: [] });
    expect(link.closed).toBe(false);
    seeder.peers.handleFrame(link, { kind: 'cancel', ids: [] });
    expect(link.closed).toBe(true);
    expect(Socket.last.take()).toMatchObject([{ kind: 'report', peer: 101, fault: 'malformed' }, { kind: 'closed', peer: 101 }]);
  });

  it('is left after a minute without a word, and a dial that never opens after 20 s', async () => {
    const seeder = start(false);
    const quiet = linkTo(1, []);
    const dialled = { ...linkTo(2, []), opened: false };
    seeder.peers.add(quiet);
    seeder.peers.add(dialled);
    welcome();
    Socket.last.take();
    expect(seeder.peers.met()).toEqual({ opened: 1, hopeful: 1, late: 0 });
    await vi.advanceTimersByTimeAsync(19_000);
    expect([quiet.closed, dialled.closed]).toEqual([false, false]);
    expect(seeder.peers.met()).toEqual({ opened: 1, hopeful: 0, late: 1 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect([quiet.closed, dialled.closed]).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(quiet.closed).toBe(true);
    expect(Socket.last.take()).toMatchObject([{ kind: 'closed', peer: 102 }, { kind: 'closed', peer: 101 }]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
