/** The compact form of an SDP offer or answer with one data-channel section, and the SDP again. */

import type { Description } from './generated/Description';
import { CANDIDATES_MAX } from './limits';
import { attempt } from './result';
import type { Result } from './result';

export type { Description } from './generated/Description';

const TYPES = ['host', 'srflx', 'prflx', 'relay'];

/** Foundation, component 1, UDP, priority, address, port, type. */
const CANDIDATE = /^(?:a=)?candidate:\S+ 1 udp (\d+) ([\da-f.:]+|[\da-f-]{36}\.local) (\d+) typ (\w+)/i;

const HEAD = [
  'v=0',
  'o=- 1 1 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  '',
].join('\r\n');

/**
 * Reads our own SDP and candidate lines that came after it; an SDP without one of the parts is incomplete. TCP candidates
 * are dropped, and host ones before reflexive ones when there are too many.
 */
export function compactFromSdp(sdp: string, extraCandidates: readonly string[] = []): Result<Description, 'incomplete'> {
  return attempt((refuse: (error: 'incomplete') => never) => {
    const find = (name: string): string => new RegExp(`^a=${name}(\\S+)`, 'm').exec(sdp)?.[1] ?? refuse('incomplete');
    const candidates = new Set<string>();
    for (const line of sdp.split('\r\n').concat(extraCandidates)) {
      const [, priority, address, port, type = ''] = CANDIDATE.exec(line) ?? [];
      const letter = 'hspr'[TYPES.indexOf(type)];
      if (letter) candidates.add(`u|${address}|${port}|${Number(priority).toString(36)}|${letter}`);
    }
    return [
      find('ice-ufrag:'),
      find('ice-pwd:'),
      find('fingerprint:sha-256 ').replace(/:/g, '').toLowerCase(),
      find('setup:') as Description[3],
      Number(find('max-message-size:')),
      [...candidates].sort((a, b) => Number(a.endsWith('h')) - Number(b.endsWith('h'))).slice(0, CANDIDATES_MAX),
      sdp.match(/(?<=^a=)sctp-init:\S+/gm) ?? [],
    ];
  });
}

/**
 * Whether somebody of another network dials this address of an offer only once its maker has the answer: it is a NAT's, and one without a filter moves the port of whom
 * an early packet is for. Same decision as `waits_for_answer` in `crates/swarm/src/nat.rs`.
 */
export const waitsForAnswer = (candidate: string): boolean => /^u\|[\d.]+\|.*s$/.test(candidate);

/** A candidate as SDP has it, without `a=`. */
export function candidateLine(text: string, index: number): string {
  const [, address, port, priority = '', letter = ''] = text.split('|');
  const related = letter === 'h' ? '' : ' raddr 0.0.0.0 rport 0';
  return `candidate:${index + 1} 1 udp ${parseInt(priority, 36)} ${address} ${port} typ ${TYPES['hspr'.indexOf(letter)]}${related}`;
}

/** The SDP that Chromium and Firefox take as a remote description, without the candidates that are told later. The server has checked every part of it. */
export function sdpFromCompact([ufrag, pwd, fingerprint, setup, maxMessageSize, candidates, extra]: Description, later: readonly string[] = []): string {
  const lines = candidates.filter((text) => text.startsWith('u') && !later.includes(text)).map(candidateLine);
  lines.push(
    'mid:0',
    `ice-ufrag:${ufrag}`,
    `ice-pwd:${pwd}`,
    'ice-options:trickle',
    `fingerprint:sha-256 ${fingerprint.toUpperCase().replace(/..(?=.)/g, '$&:')}`,
    `setup:${setup}`,
    'sctp-port:5000',
    `max-message-size:${maxMessageSize}`,
    ...extra,
  );
  return `${HEAD}a=${lines.join('\r\na=')}\r\n`;
}
