// Asks for ten thousand paths that are not there, then for one that is.
importScripts('/reading.js');
const PATHS = 10_000;
const AT_ONCE = 50;
let next = 0;
const statuses = {};
const ask = async () => {
  while (next < PATHS) {
    const { status } = await fetch(`/none/${next++}.bin`);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
};
Promise.all(Array.from({ length: AT_ONCE }, ask))
  .then(() => read('/late.bin'))
  .then((digest) => postMessage([statuses, digest]), (error) => postMessage(String(error)));
