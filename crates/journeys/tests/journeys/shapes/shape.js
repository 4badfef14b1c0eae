// Each shape a page loads by adds one result under its name; window.app is done when all are there.
const app = (window.app = { done: false, result: {}, errors: [] });
const waits = [];
const LIMIT_MS = 20_000;
/** Adds what `promise` comes to: its value, the name of its error, or that it hung. */
window.shape = (name, promise) => {
  const hung = new Promise((resolve) => setTimeout(resolve, LIMIT_MS, 'hung'));
  const kept = Promise.race([promise, hung]).then(
    (value) => { app.result[name] = value; },
    (error) => { app.result[name] = error.name; app.errors.push(`${name}: ${error.message}`); },
  );
  waits.push(kept);
};
/** No more shapes: done when those added are. */
window.endOfShapes = async () => {
  await Promise.all(waits);
  app.ms = performance.now();
  app.done = true;
};
window.sha = async (body) => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
};
/** Status, length and digest of what fetch reads. */
window.look = async (...request) => {
  const reply = await fetch(...request);
  const body = await reply.arrayBuffer();
  return [reply.status, body.byteLength, await sha(body)];
};
window.loaded = new Promise((resolve) => {
  if (document.readyState === 'complete') resolve();
  else addEventListener('load', () => resolve());
});
