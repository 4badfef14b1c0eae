/**
 * Ours inside a worker of the site's own, whose script the server sends with ours first: what that worker fetches and stores comes from where the page's assets come from, and the site sees of ours
 * no more than it would see if there were none.
 */

import { STORE } from './store';
import { WORKER_URL } from './workerclient';
import type { WorkerScope } from './workerscope';

const scope = globalThis as unknown as WorkerScope;

/** Tells the server what the site's worker fetches: a `document` is for a page, whoever stores it first, and comes whole with the addition; an `asset` is of the version that the site has now. */
export const WORKER_HEADER = 'viral-worker';

/** Whether this worker is ours alone: the build of it that is sent in front of the site's own is another one. */
export const isAlone = !INSIDE;

let listening = false;

/** What the site's worker fetches now it stores for later visits. */
let installing = false;

/** Whether the site's worker answers requests. */
export const answers = (): boolean => INSIDE && (listening || !!scope.onfetch);

/** Whether there is nobody to wait for but a worker of ours, of which the site knows nothing. */
export const isFirst = (): boolean => isAlone || !!scope.registration.active?.scriptURL.endsWith(WORKER_URL);

/** Claims the pages without a word to the site. */
export const claim = scope.clients.claim.bind(scope.clients);

/** Fetches as the browser does, whatever the site's worker has. */
export const fetched = scope.fetch.bind(scope);

/** Notices what the site's worker does: `held` is what we have of what it fetches, and `claimed` is called when it claims pages. To be called before its first line runs. */
export function wrap(held: (request: Request) => Promise<Response | undefined>, claimed: () => Promise<unknown>): void {
  const { addEventListener, clients } = scope;
  const listen = (type: string, ...rest: unknown[]): void => {
    listening ||= type === 'fetch';
    Reflect.apply(addEventListener, scope, [type, ...rest]);
  };
  Object.assign(scope, { addEventListener: listen });
  clients.claim = () => claim().then(() => claimed().then(() => undefined, () => undefined));
  const fetching: typeof fetch = async (input, init) => {
    const request = init || !(input instanceof Request) ? new Request(input, init) : input;
    if (request.method !== 'GET' || request.integrity) return fetched(request);
    request.signal.throwIfAborted();
    const kept = await held(request).catch(() => undefined);
    request.signal.throwIfAborted();
    // As a fetch that reached the origin would have it: some store nothing else.
    if (kept) return Object.defineProperties(kept, { type: { value: 'basic' }, url: { value: request.url } });
    const passed = told(request);
    // A redirect to another site, which does not know our header, is followed without it.
    return fetched(passed).catch((error: unknown) => (passed === request || request.signal.aborted ? Promise.reject(error) : fetched(request)));
  };
  scope.fetch = fetching;
  scope.addEventListener('install', () => void (installing = true));
  scope.addEventListener('activate', () => void (installing = false));
  // Sites delete the caches that they do not know.
  const { caches } = scope;
  const [keys, remove, has] = [caches.keys, caches.delete, caches.has].map((method) => method.bind(caches)) as [CacheStorage['keys'], CacheStorage['delete'], CacheStorage['has']];
  Object.assign(caches, {
    keys: async () => (await keys()).filter((name) => name !== STORE),
    delete: async (name: string) => name !== STORE && (await remove(name)),
    has: async (name: string) => name !== STORE && (await has(name)),
  });
  // These would fetch past us.
  Cache.prototype.add = function (request) {
    return this.addAll([request as RequestInfo]);
  };
  Cache.prototype.addAll = async function (requests) {
    const all = await Promise.all([...requests].map(stored));
    await Promise.all(all.map(([request, response]) => this.put(request, response)));
  };
}

/** What is put into a cache of the site's, or the error that the browser itself would give. */
async function stored(input: RequestInfo): Promise<[Request, Response]> {
  const request = new Request(input);
  const response = await scope.fetch(request);
  if (!response.ok || response.status === 206) throw new TypeError('Request failed');
  return [request, response];
}

/** A page that the site's worker fetches is for the visitor, who goes to it now or later; what a script of the page fetches is not. */
function told(request: Request): Request {
  const { origin, pathname } = new URL(request.url);
  if (origin !== scope.location.origin || !(installing || request.mode === 'navigate')) return request;
  // Made of nothing but the other one it keeps that one's mode, origin and referrer.
  const passed = new Request(request);
  passed.headers.set(WORKER_HEADER, request.mode === 'navigate' || /\/$|\.html?$/.test(pathname) ? 'document' : 'asset');
  return passed;
}
