/** What the browser's timing says of this page. */

/** Bytes that travelled for this page so far: its document, and everything it asked for. */
export function transferredBytes(): number {
  return (performance.getEntries() as Partial<PerformanceResourceTiming>[]).reduce((sum, { transferSize }) => sum + (transferSize ?? 0), 0);
}
