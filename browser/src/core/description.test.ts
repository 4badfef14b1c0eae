/** Descriptions: what real browsers made, its compact form, and the SDP that real browsers took again. */

import { describe, expect, test } from 'vitest';
import { vectors } from '../../test/vectors';
import { compactFromSdp, sdpFromCompact } from './description';
import type { Description } from './description';

interface DescriptionVectors {
  sdp: { name: string; sdp: string; candidates: string[]; compact: Description; rebuilt: string }[];
  sdp_invalid: { name: string; sdp: string; error: string }[];
}

const { sdp: made, sdp_invalid: lacking } = vectors<DescriptionVectors>('descriptions');

describe('an sdp becomes exactly this compact form and this sdp again', () => {
  test.each(made)('$name', ({ sdp, candidates, compact, rebuilt }) => {
    expect(compactFromSdp(sdp, candidates)).toEqual({ ok: true, value: compact });
    expect(sdpFromCompact(compact)).toBe(rebuilt);
  });
});

test.each(made)('compact form survives its own sdp: $name', ({ compact }) => {
  expect(compactFromSdp(sdpFromCompact(compact))).toEqual({ ok: true, value: compact });
});

test.each(lacking)('$name is refused', ({ sdp, error }) => {
  expect(compactFromSdp(sdp)).toEqual({ ok: false, error });
});

test('a gathered description of either engine is under 400 bytes a pair', () => {
  for (const { compact } of made.slice(0, 4)) expect(JSON.stringify(compact).length).toBeLessThan(300);
});

test('tcp candidates of a peer are not passed to the browser', () => {
  const [first] = made;
  if (!first) throw new Error('no vector');
  const [ufrag, pwd, fingerprint, setup, size, , extra] = first.compact;
  const mixed: Description = [ufrag, pwd, fingerprint, setup, size, ['t|198.51.100.1|443|zz|h', 'u|192.0.2.2|5|zz|h'], extra];
  expect(sdpFromCompact(mixed).match(/a=candidate.*/g)).toEqual(['a=candidate:1 1 udp 1295 192.0.2.2 5 typ host']);
});
