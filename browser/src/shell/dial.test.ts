import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RELEASE_WAIT_MS } from '../core/generated/sessionPolicy';
import type { Offer } from '../core/generated/Offer';
import { answersTo } from './dial';
import type { Link } from './link';

const NAT = 'u|203.0.113.7|50001|a|s';
const HOST = 'u|203.0.113.7|50002|b|h';
const IPV6 = 'u|2001:db8::7|50001|c|s';

const offerOf = (far: boolean): Offer => ({
  peer: 5,
  offer: 1,
  description: ['ufra', 'p'.repeat(24), '0f'.repeat(32), 'actpass', 262_144, [HOST, NAT, IPV6], []],
  push: null,
  ...(far && { far }),
});

/** A connection whose candidates are gathered at once, and where it looks for its other end. */
function connection(): { link: Link; dialled: () => string[] } {
  const dialled: string[] = [];
  const note = (sdp: string): unknown => dialled.push(...sdp.split(/[\r\n]+/).filter((line) => line.includes('candidate:')).map((line) => line.split(' ').slice(4, 6).join(' ')));
  const pc = {
    iceGatheringState: 'complete',
    localDescription: { type: 'answer', sdp: 'v=0' },
    setRemoteDescription: async ({ sdp }: { sdp: string }) => void note(sdp),
    setLocalDescription: async () => undefined,
    addIceCandidate: async ({ candidate }: { candidate: string }) => void note(candidate),
    addEventListener: () => undefined,
    close: () => undefined,
  } as unknown as RTCPeerConnection;
  const link = { key: 1, peer: 5, offer: 1, pc, far: false, opened: false, closed: false, later: [] as string[] } as unknown as Link;
  return { link, dialled: () => dialled };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('the other end of another network', () => {
  it('is dialled behind its NAT only once the answer left, and everywhere else at once', async () => {
    const { link, dialled } = connection();
    let left = (): void => undefined;
    void answersTo([offerOf(true)], [link], ([one]) => one && new Promise<void>((resolve) => (left = resolve)));
    await vi.advanceTimersByTimeAsync(RELEASE_WAIT_MS / 2);
    expect(dialled()).toEqual(['203.0.113.7 50002', '2001:db8::7 50001']);
    left();
    await vi.advanceTimersByTimeAsync(0);
    expect(dialled().slice(2)).toEqual(['203.0.113.7 50001']);
  });

  it('is dialled after a while if nobody tells that the answer left', async () => {
    const { link, dialled } = connection();
    void answersTo([offerOf(true)], [link], () => new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(RELEASE_WAIT_MS - 1);
    expect(dialled()).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1 + RELEASE_WAIT_MS);
    expect(dialled()).toHaveLength(3);
  });
});

it('a neighbour is dialled everywhere at once', async () => {
  const { link, dialled } = connection();
  void answersTo([offerOf(false)], [link], () => new Promise(() => undefined));
  await vi.advanceTimersByTimeAsync(1);
  expect(dialled()).toHaveLength(3);
});
