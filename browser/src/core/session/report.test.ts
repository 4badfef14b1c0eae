import { describe, expect, it } from 'vitest';
import { noTotals } from '../counts';
import type { Totals } from '../counts';
import type { Progress } from '../fetch/types';
import type { PeerToTracker } from '../generated/PeerToTracker';
import { REPORT_MS } from '../generated/sessionPolicy';
import { Report } from './report';
import type { Held } from './report';
import { drain, replay } from './trace.harness';
import type { Step } from './trace.harness';

type Input =
  | { call: 'kept'; giver: 'origin' | { peer: number | null }; len: number }
  | { call: 'rate'; peer: number; rate: number }
  | { call: 'sent'; len: number }
  | { call: 'growth'; held: number; total: number }
  | { call: 'welcome' }
  | { call: 'report'; live: boolean; held: Held | null };

interface ReportStep extends Step<Input> {
  /** Whether the socket took nothing of what was said. */
  unsent: boolean;
}

/** A report, and the totals that it is about. */
class Counted extends Report {
  readonly counted: Totals;

  constructor(totals: Totals, inCrowd: boolean) {
    super(totals, inCrowd);
    this.counted = totals;
  }
}

/** Counts a piece as the loader does, and what came from the origin as the browser's timings do. */
function count({ bytes, sources }: Totals, giver: 'origin' | { peer: number | null }, len: number): void {
  bytes.pieces_verified++;
  if (giver === 'origin') {
    bytes.bytes_from_origin += len;
    return;
  }
  bytes.bytes_from_peers += len;
  if (giver.peer !== null) sources.set(giver.peer, (sources.get(giver.peer) ?? 0) + len);
}

const progress = (held: number, total: number): Progress => ({ held, total, bytesHeld: 0, bytesTotal: 0, done: total > 0 && held === total });

replay(
  'report',
  ({ inCrowd }: { inCrowd: boolean }) => new Counted(noTotals(), inCrowd),
  (report, { now, input }: ReportStep) => {
    if (input.call === 'kept') count(report.counted, input.giver, input.len);
    else if (input.call === 'rate') report.counted.rates.set(input.peer, input.rate || undefined);
    else if (input.call === 'sent') report.counted.bytes.bytes_to_peers += input.len;
    else if (input.call === 'growth') report.handleGrowth(now, progress(input.held, input.total));
    else if (input.call === 'welcome') report.handleWelcome();
    else report.handleReport(input.live, () => input.held);
  },
  undefined,
  (report, { unsent }, outputs: PeerToTracker[]) => {
    if (unsent) for (const signal of outputs) report.handleUnsent(signal);
  },
);

describe('a report of a page', () => {
  it('comes a second after the first of what it is about, whatever grows meanwhile', () => {
    const totals = noTotals();
    const report = new Report(totals, false);
    for (const now of [10, 500, 1_009]) {
      count(totals, { peer: 3 }, 100);
      report.handleGrowth(now);
      expect(report.pollTimeout()).toBe(10 + REPORT_MS);
    }
    report.handleReport(true, () => null);
    expect(drain(report)).toEqual([
      { kind: 'counts', bytes_from_peers: 300, bytes_from_origin: 0, bytes_to_peers: 0, pieces_verified: 3, sources: [{ peer: 3, bytes: 300 }] },
    ]);
    expect(report.pollTimeout()).toBeNull();
  });

  it('leaves out what the loader told before a reload', () => {
    const totals = noTotals();
    const report = new Report(totals, false);
    count(totals, { peer: 3 }, 500);
    expect(report.takeGrowth()?.bytes_from_peers).toBe(500);
    count(totals, { peer: 3 }, 200);
    report.handleReport(true, () => null);
    expect(drain(report)).toMatchObject([{ bytes_from_peers: 200, sources: [{ peer: 3, bytes: 200 }] }]);
  });
});
