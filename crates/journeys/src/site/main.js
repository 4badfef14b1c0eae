// The app of a made site: reads every asset it has, then says in window.app what it saw.
(() => {
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const app = (window.app = { done: false, version: '__VERSION__', versions: [], digests: {}, events: [], errors: [] });
  window.addEventListener('error', (event) => app.errors.push(String(event.message)));
  document.addEventListener('DOMContentLoaded', () => app.events.push('DOMContentLoaded'));
  window.addEventListener('load', () => app.events.push('load'));
  window.addEventListener('pageshow', (event) => app.events.push(event.persisted ? 'pageshow from cache' : 'pageshow'));
  const read = async (path) => {
    const reply = await fetch(path);
    if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
    app.digests[path] = hex(await crypto.subtle.digest('SHA-256', await reply.arrayBuffer()));
  };
  const loaded = new Promise((resolve) => {
    if (document.readyState === 'complete') resolve();
    else window.addEventListener('load', () => resolve());
  });
  const run = async () => {
    await Promise.all([__PATHS__].map(read));
    await loaded;
    const styled = getComputedStyle(document.querySelector('h1'));
    app.versions = [
      app.version,
      window.scriptVersion,
      document.documentElement.dataset.version,
      styled.getPropertyValue('--version').trim(),
    ];
    app.color = styled.color;
    app.title = document.title;
    app.charset = document.characterSet;
    app.mode = document.compatMode;
    app.url = location.href;
    app.isolated = window.crossOriginIsolated;
    document.getElementById('out').textContent = 'done';
    app.done = true;
  };
  run().catch((error) => {
    app.errors.push(String(error));
    document.getElementById('out').textContent = String(error);
  });
})();
