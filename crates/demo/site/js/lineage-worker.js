// Reads the server's event stream beside the page, so that an open stream keeps neither the page nor a tool that waits for it busy.

const stream = new EventSource('/.viral/lineage');
const say = (event) => postMessage({ kind: 'said', text: event.data });
stream.addEventListener('snapshot', say);
stream.addEventListener('message', say);
stream.addEventListener('open', () => postMessage({ kind: 'state', state: 'live' }));
stream.addEventListener('error', () => {
  postMessage({ kind: 'state', state: stream.readyState === EventSource.CLOSED ? 'absent' : 'lost' });
});
