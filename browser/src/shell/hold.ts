/**
 * Keeps this page from having loaded before the app is in place. Who waits for `load` (drivers, `--screenshot`, scripts of extensions, the browser
 * that scrolls to where a visitor was) gets the app then, not the empty page.
 */

/** Whether nothing ends with the hold. Firefox ends the requests and sockets of a page that has not loaded at its `document.open` (measured); one of a crowd needs them. */
export const isHeldHarmlessly = (): boolean => 'userAgentData' in navigator;

/** A frame that is being written to holds the event of its page up, without a request. It goes with the page it is in. */
export function holdLoad(): void {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  document.documentElement.append(frame);
  frame.contentDocument?.open();
}

/**
 * To be called right before `document.open`, where the frame goes. Chromium counts an image whose source it has not looked at yet, and so fires one event, for the app.
 * Firefox must fire the first one there: its drivers wait for the `pageshow` behind it, and no other comes (measured).
 */
export function holdOverOpen(): void {
  if (isHeldHarmlessly()) new Image().src = '';
}
