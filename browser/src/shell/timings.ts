/** What the browser's timing says of the document. */

/** Bytes of the document itself, as it travelled. */
export function documentBytes(): number {
  const [entry] = performance.getEntriesByType('navigation');
  return (entry as PerformanceNavigationTiming | undefined)?.transferSize ?? 0;
}
