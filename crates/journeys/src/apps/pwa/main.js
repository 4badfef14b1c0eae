import { registerSW } from 'virtual:pwa-register';

window.app = { done: false };
// Reloads the page when it takes the worker for a newer one.
registerSW({ immediate: true, onOfflineReady: () => (window.app.offline = true) });
const { parts } = await import('./late.js');
const bodies = await Promise.all(parts.map(async (path) => (await fetch(path)).arrayBuffer()));
window.app.bytes = bodies.reduce((sum, body) => sum + body.byteLength, 0);
window.app.done = true;
document.getElementById('out').textContent = 'done';
