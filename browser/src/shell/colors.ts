/** The colours of the app while its own style sheets are not there: the server put them into the thin page's `<style>`, with a selector that weighs nothing. */

/** To be called before `document.open`; gives back what carries them over to the new document until it is parsed. What the page's policy says of styles does not concern it. */
export function colorsOver(): () => void {
  const css = document.querySelector('style')?.textContent;
  return () => {
    if (!css) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets.push(sheet);
    addEventListener('DOMContentLoaded', () => (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet)), { once: true });
  };
}
