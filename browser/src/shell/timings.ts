/** What the browser's timing says of the document. */

const navigation = (): PerformanceNavigationTiming | undefined =>
  performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming | undefined;

/** Bytes that travelled for this page so far: its document, and everything it asked for. */
export function transferredBytes(): number {
  return (performance.getEntries() as Partial<PerformanceResourceTiming>[]).reduce((sum, { transferSize }) => sum + (transferSize ?? 0), 0);
}

/** Bytes of the document itself, as it travelled. */
export function documentBytes(): number {
  return navigation()?.transferSize ?? 0;
}
