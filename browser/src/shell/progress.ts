/** The quiet line at the top of the page while the loader works; it goes with the page that it belongs to. */

/** Draws the line; gives back the function that sets its share. Styled through CSSOM only: a CSP cannot forbid it. */
export function progressLine(): (share: number) => void {
  const line = document.createElement('div');
  const { style } = line;
  style.cssText = 'position:fixed;top:0;left:0;width:100%;height:2px;background:currentColor;opacity:.5;transform-origin:0 0';
  if (!matchMedia('(prefers-reduced-motion:reduce)').matches) style.transition = 'transform .2s';
  line.role = 'progressbar';
  line.ariaLabel = 'Loading';
  document.documentElement.append(line);
  return (share) => {
    style.transform = `scaleX(${share})`;
    line.ariaValueNow = `${Math.floor(share * 100)}`;
  };
}
