/** What a browser must have to take anything from visitors. */

/** Whether it has all that we use. */
export const isCapable = (): boolean => !!(navigator.serviceWorker && window.DecompressionStream && window.RTCPeerConnection);

/** Whether the visitor lets the site keep anything. If not there is no worker, no store and no cookie; Chromium calls cookies enabled all the same (measured). */
export function keepsAnything(): boolean {
  try {
    return localStorage !== undefined;
  } catch {
    return false;
  }
}
