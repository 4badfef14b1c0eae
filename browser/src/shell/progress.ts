/** The quiet line at the top of the page while the loader works; it goes with the page that it belongs to. */

/** Draws the line; gives back the function that sets its share. It does not move by itself. A CSP cannot forbid styles set by script. */
export function progressLine(): (share: number) => void {
  const line = document.createElement('div');
  line.style.cssText = 'position:fixed;top:0;left:0;height:2px;background:currentColor;opacity:.5';
  line.role = 'progressbar';
  line.ariaLabel = 'Loading';
  document.documentElement.append(line);
  return (share) => {
    line.style.width = `${(line.ariaValueNow = `${Math.floor(share * 100)}`)}%`;
  };
}
