/** The service worker: answers a page with exactly the assets of the manifest that it was put in place from, and nobody else. */

import { Bindings } from './core/bindings';
import type { BindingsState } from './core/bindings';
import type { Digest } from './core/digest';
import { interest } from './core/intercept';
import { fromPage, fromStore, partOf, recordsOf, sweep } from './shell/answer';
import { CLIENTS_PASSED_MAX, MANIFESTS_KEPT } from './shell/limits';
import { keep, stored } from './shell/store';
import type { PageToWorker } from './shell/workerclient';
import type { FetchEvent, WorkerScope } from './shell/workerscope';

const scope = globalThis as unknown as WorkerScope;
const STATE_KEY = '/.viral/bindings';

let bindings = new Bindings();
let loaded = false;
/** Clients that were looked at and run no manifest: their requests are not touched at all. */
const passed = new Set<string>();

async function load(): Promise<void> {
  const response = await stored(STATE_KEY);
  if (response) bindings = new Bindings((await response.json()) as BindingsState);
  loaded = true;
}

let loading = load().catch(() => undefined);

const save = (): Promise<boolean> => keep(STATE_KEY, new Response(JSON.stringify(bindings.state())));

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener('activate', (event) => {
  // The worker of an earlier release may have written since this one was read in.
  loading = load().catch(() => undefined);
  event.waitUntil(Promise.all([loading, scope.clients.claim(), preload(true)]));
});

/**
 * The server must see a navigation as one: a `fetch` of ours carries other `Sec-Fetch-*` headers (measured), the browser's own preload does not.
 * Off for a navigation that is answered from the store.
 */
async function preload(on: boolean): Promise<void> {
  const { navigationPreload } = scope.registration;
  await (on ? navigationPreload?.enable() : navigationPreload?.disable());
}

scope.addEventListener('message', (event) => {
  const port = event.ports[0];
  const client = event.source?.id;
  if (!port || !client) return;
  event.waitUntil(
    loading.then(() => handleMessage(event.data as PageToWorker, client)).then(
      (answer) => port.postMessage(answer),
      () => port.postMessage(false),
    ),
  );
  if ((event.data as PageToWorker).kind === 'bind') event.waitUntil(loading.then(clean));
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const { method, url, mode, destination, cache } = request;
  const found = interest({ method, url, mode, destination, cache, range: request.headers.has('range') }, scope.location.origin);
  if (found?.kind === 'navigation') event.respondWith(answerNavigation(event, found.href, found.path));
  else if (found && !(loaded && passed.has(event.clientId))) event.respondWith(answerAsset(event, found.path, found.later));
});

async function handleMessage(message: PageToWorker, client: string): Promise<unknown> {
  switch (message.kind) {
    case 'bind':
      if (!message.url) bindings.bind(client, message.manifest, message.page);
      else if (!bindings.bindReload(message.url, message.manifest)) return false;
      passed.delete(client);
      await Promise.all([save(), recordsOf(message.manifest), scope.clients.claim(), preload(!message.url)]);
      return true;
    case 'bound':
      return bindings.manifestOf(client);
    case 'live':
      bindings.setLive(client, message.live);
      return save();
  }
}

async function answerNavigation(event: FetchEvent, href: string, path: string): Promise<Response> {
  await loading;
  const reload = bindings.takeReload(href);
  // Off for one announced navigation, which may have been another one than this.
  event.waitUntil(preload(true));
  const placed = reload && (await place(event, reload, path));
  if (placed) return placed;
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch (error) {
    // The origin is out of reach: the version that was put in place last runs.
    const manifest = bindings.manifestOfPage(path);
    const kept = manifest && (await place(event, manifest, path));
    if (kept) return kept;
    throw error;
  }
}

/** The stored document of a manifest, which the new page then runs. */
async function place(event: FetchEvent, manifest: Digest, path: string): Promise<Response | undefined> {
  const [document] = (await recordsOf(manifest)).values();
  const response = await fromStore(document);
  if (response) bindings.bind(event.resultingClientId, manifest, path);
  event.waitUntil(save());
  return response;
}

async function answerAsset(event: FetchEvent, path: string, later: boolean): Promise<Response> {
  await loading;
  const { clientId, request, resultingClientId } = event;
  const manifest = bindings.manifestOf(clientId) ?? (await inherited(clientId));
  if (!manifest) {
    if (passed.size >= CLIENTS_PASSED_MAX) passed.clear();
    passed.add(clientId);
    return fetch(request);
  }
  const record = (await recordsOf(manifest)).get(path);
  if (/^(shared)?worker$/.test(request.destination) && resultingClientId) {
    bindings.bind(resultingClientId, manifest);
    event.waitUntil(save());
  }
  const client = !record && later && bindings.isLive(clientId) && (await scope.clients.get(clientId));
  return (client ? await fromPage(client, path) : await partOf(await fromStore(record), request.headers.get('range'))) ?? fetch(request);
}

/** The manifest of the page that made this worker: the one whose manifest has its script; for a script without a path, the only one there is. */
async function inherited(clientId: string): Promise<Digest | undefined> {
  const client = clientId ? await scope.clients.get(clientId) : undefined;
  if (client?.type !== 'worker') return undefined;
  const { protocol, pathname } = new URL(client.url);
  const candidates = new Set<Digest>();
  for (const page of await scope.clients.matchAll({ type: 'window' })) {
    const manifest = bindings.manifestOf(page.id);
    if (manifest && (protocol === 'blob:' || (await recordsOf(manifest)).has(pathname))) candidates.add(manifest);
  }
  const [manifest] = candidates;
  if (!manifest || candidates.size > 1) return undefined;
  bindings.bind(clientId, manifest);
  return manifest;
}

async function clean(): Promise<void> {
  const clients = await scope.clients.matchAll({ includeUncontrolled: true, type: 'all' });
  await sweep(bindings.prune(new Set(clients.map(({ id }) => id)), MANIFESTS_KEPT));
}
