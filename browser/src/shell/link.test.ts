import { describe, expect, it } from 'vitest';
import { closeLink, hasCandidate, localDescription, sdpOf } from './link';
import type { Link } from './link';

const SDP = 'v=0\r\na=candidate:0 1 UDP 2122252543 192.0.2.1 4000 typ host\r\n';

/** A connection as Firefox 153 has it: it throws where Chromium goes on telling (findings/firefox-closed-connection-hides-descriptions.sh). */
class Connection {
  connectionState = 'connecting';
  get localDescription(): { sdp: string } {
    if (this.connectionState === 'closed') throw new DOMException('Peer connection is closed', 'InvalidStateError');
    return { sdp: SDP };
  }
  close(): void {
    this.connectionState = 'closed';
  }
}

const connection = (): RTCPeerConnection => new Connection() as unknown as RTCPeerConnection;

describe('a closed connection', () => {
  it('has no description, and nobody who asks for one runs into an error', () => {
    const pc = connection();
    expect(sdpOf(pc)).toBe(SDP);
    expect(hasCandidate(pc)).toBe(true);
    pc.close();
    expect(sdpOf(pc)).toBe('');
    expect(hasCandidate(pc)).toBe(false);
    expect(localDescription({ pc } as Link)).toBeNull();
  });

  it('leaves what it had when it was closed, however often that is said', () => {
    const link = { pc: connection() } as Link;
    closeLink(link);
    closeLink(link);
    expect(link).toMatchObject({ closed: true, reached: 'connecting', sdp: SDP });
  });
});
