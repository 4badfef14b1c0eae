/** How the verified app is put in place. */

/** What the loader knows when every piece is held. */
export interface DeployEvidence {
  /** What the server asked for: its headers may forbid writing the document. */
  readonly wanted: 'write' | 'reload';
  /** The service worker is active, controls this page, and knows its manifest. */
  readonly workerReady: boolean;
  /** Every asset lies in the store. */
  readonly stored: boolean;
  /** This tab reloaded for this manifest before, and came back as a thin page. */
  readonly reloadedBefore: boolean;
}

/** Write the document, reload into the service worker, or leave for the plain answer. */
export type DeployPath = 'write' | 'reload' | 'plain';

/**
 * Writing works without a worker or a store (sub-resources then come from the origin as ever). A reload needs both, and a reload
 * that led back here must not be tried again.
 */
export function deployPath(evidence: DeployEvidence): DeployPath {
  if (evidence.wanted === 'write') return 'write';
  return evidence.workerReady && evidence.stored && !evidence.reloadedBefore ? 'reload' : 'plain';
}
