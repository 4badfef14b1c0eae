import { describe, expect, it } from 'vitest';
import { diagnose, reportOf, summary } from './doctor';
import type { Facts, Gathered, ServerView } from './doctor';

const server: ServerView = { address: '203.0.113.7', answer: 'full', reason: 'no-peer-near', seeds: true, stun: [3478] };
const gathered: Gathered = { host: true, named: false, reflexive: true, symmetric: false };
const fine: Facts = { secure: true, webrtc: true, worker: true, inflates: true, stores: true, permission: null, siteWorker: 'none', gathered, socket: true, transferMs: 31.4, server };
const troubles = (more: Partial<Facts>) => diagnose({ ...fine, ...more }).filter(({ verdict }) => verdict !== 'good').map(({ check, verdict }) => `${check} ${verdict}`);

describe('a diagnosis', () => {
  it('of a browser that has everything names no trouble', () => {
    expect(troubles({})).toEqual([]);
    expect(summary(diagnose(fine))).toBe('This browser can take the site from other visitors and give it to them.');
    expect(diagnose(fine).find(({ check }) => check === 'answer')?.found).toContain('somebody seeds');
  });
  it('is told to the server by the names of what stands in the way', () => {
    expect(reportOf(diagnose(fine))).toEqual({ bad: [], limited: [] });
    expect(reportOf(diagnose({ ...fine, secure: false, permission: 'denied' }))).toEqual({ bad: ['secure-context'], limited: ['permission'] });
  });
  it.each([
    ['no secure connection', { secure: false, worker: false }, ['secure-context bad', 'service-worker bad']],
    ['no WebRTC', { webrtc: false, gathered: null, transferMs: null }, ['webrtc bad']],
    ['an old browser', { inflates: false }, ['inflate bad']],
    ['no storage', { stores: false }, ['storage bad']],
    ['no candidate', { gathered: { ...gathered, host: false, reflexive: false } }, ['candidates bad']],
    ['a hidden address', { gathered: { ...gathered, host: false, named: true } }, ['candidates limited']],
    ['a silent STUN server', { gathered: { ...gathered, reflexive: false } }, ['stun limited']],
    ['no STUN server', { gathered: { ...gathered, reflexive: false }, server: { ...server, stun: [] } }, ['stun limited']],
    ['no STUN server in an office', { gathered: { ...gathered, reflexive: false }, server: { ...server, stun: [], address: '10.1.2.3' } }, []],
    ['a symmetric NAT', { gathered: { ...gathered, symmetric: true } }, ['nat limited']],
    ['no WebSocket', { socket: false }, ['websocket bad']],
    ['a permission that was refused', { permission: 'denied' }, ['permission limited']],
    ['a blocked transfer', { transferMs: null }, ['transfer bad']],
    ['an old worker of the site', { siteWorker: 'without' }, ['own-service-worker limited']],
    ['a plain answer', { server: { ...server, answer: 'plain', reason: 'opt-out' } }, ['answer bad']],
    ['no page', { server: { ...server, answer: null, reason: null } }, ['answer limited']],
    ['no server', { server: null }, ['server bad']],
  ] as [string, Partial<Facts>, string[]][])('of %s says what to change', (_, more, expected) => {
    expect(troubles(more)).toEqual(expected);
    for (const { verdict, change, check } of diagnose({ ...fine, ...more })) if (verdict === 'bad') expect(change, check).not.toBe('');
  });
  it('sums up what it comes to', () => {
    expect(summary(diagnose({ ...fine, webrtc: false }))).toContain('cannot take');
    expect(summary(diagnose({ ...fine, socket: false }))).toContain('cannot give');
    expect(summary(diagnose({ ...fine, permission: 'denied' }))).toContain('with limits');
  });
  it('has an answer to every reason that it does not know', () => {
    const found = diagnose({ ...fine, server: { ...server, answer: 'plain', reason: 'new' } }).find(({ check }) => check === 'answer');
    expect(found?.change).toBe('"new" in the troubleshooting guide says what to do.');
  });
});
