/**
 * The service worker: answers a page with exactly the assets of the manifest that it was put in place from, and nobody else. Where the site has a worker of its own the server sends this in front of
 * its script (docs/adr/0082).
 */

import { owner } from './core/adopt';
import { Bindings } from './core/bindings';
import type { Binding, BindingsState } from './core/bindings';
import type { Digest } from './core/digest';
import { interest, isOfSite, keyOf } from './core/intercept';
import type { Interest } from './core/intercept';
import { PERSONAL } from './core/manifest';
import type { AssetRecord } from './core/manifest';
import { fromStore, knows, learn, partOf, recordsOf, sweep } from './shell/answer';
import { askPage, copied } from './shell/ask';
import { within } from './shell/clock';
import { WORKER_HEADER, answers, claim, fetched as fetch, isAlone, isFirst, wrap } from './shell/inside';
import { ASK_FIRST_MS, ASK_PATIENT_MS, ASK_UNKNOWN_MS, CLIENTS_PASSED_MAX, HOLD_MS, KEEP_BYTES_MAX, MANIFESTS_KEPT, PINNED_MS, SHARE_WAIT_MS, STORE_ANSWER_MS, USED_PAGES_MAX, USED_PATHS_MAX } from './shell/limits';
import { keep, manifestKey, stored } from './shell/store';
import { SHOWN } from './shell/workerclient';
import type { PageToWorker } from './shell/workerclient';
import type { ClientMessageEvent, FetchEvent, WorkerClient, WorkerScope } from './shell/workerscope';

const scope = globalThis as unknown as WorkerScope;
/** By scope: the site's own worker may have another one. */
const STATE_KEY = `/.viral/bindings?${encodeURIComponent(scope.registration.scope)}`;

let bindings = new Bindings();
let loaded = false;
/** Clients that were looked at and run no manifest: their requests are not touched at all. */
const passed = new Set<string>();
/** Where pages hear us, by client id. A restarted worker has none and asks through the client, which may cost the page its place in the back/forward cache. */
const ears = new Map<string, MessagePort>();
/** What was answered for a page and its workers, in order. */
const used = new Map<string, Set<string>>();

/** Manifests whose assets lie in the browser's own cache. */
const cached = new Set<Digest>();

/** Manifests that are on their way for pages that came whole. */
const sharing = new Map<Digest, Promise<unknown>>();

async function load(): Promise<void> {
  const response = await stored(STATE_KEY);
  if (response) bindings = new Bindings((await response.json()) as BindingsState);
  // What is the site's to answer is told at once.
  if (!isAlone) await Promise.all(bindings.recent().map(recordsOf));
  loaded = true;
}

const begin = (): Promise<void> => load().catch(() => void (loaded = true));
let loading = begin();

const save = (): Promise<boolean> => keep(STATE_KEY, new Response(JSON.stringify(bindings.state())));

/** Only ours was active before this one. */
let follows = false;

scope.addEventListener('install', (event) => {
  follows = isFirst();
  if (follows) event.waitUntil(scope.skipWaiting());
});
scope.addEventListener('activate', (event) => {
  // The worker of an earlier release may have written since this one was read in.
  loading = begin();
  // What ours alone asked for is not the site's worker's: before that says a word.
  if (answers() && follows) event.waitUntil(takeBack());
  // A page that came whole stays as it is, without a worker, until its next navigation; the loader asks to be claimed.
  event.waitUntil(Promise.all([loading.then(announce), preload(true)]));
});

/**
 * The server must see a navigation as one: a `fetch` of ours carries other `Sec-Fetch-*` headers (measured), the browser's own preload does not.
 * Off for a navigation that is answered from the store.
 */
async function preload(on: boolean): Promise<void> {
  if (answers()) return;
  const { navigationPreload } = scope.registration;
  await (on ? navigationPreload?.enable() : navigationPreload?.disable());
}

/** Navigations are preloaded no more, until the site's worker wants it. */
async function takeBack(): Promise<void> {
  const { navigationPreload } = scope.registration;
  await Promise.all([navigationPreload?.setHeaderValue('true'), navigationPreload?.disable()]).catch(() => undefined);
}

/** The server is told with each navigation what is stored. */
async function announce(): Promise<void> {
  if (!answers()) await scope.registration.navigationPreload?.setHeaderValue(bindings.header()).catch(() => undefined);
}

scope.addEventListener('message', (event) => {
  const [port] = event.ports;
  const client = event.source?.id;
  if (!client || !isOurs(event.data)) return;
  event.stopImmediatePropagation();
  event.waitUntil(
    loading.then(() => handleMessage(event, client)).then(
      (answer) => port?.postMessage(answer),
      () => port?.postMessage(false),
    ),
  );
});

/** Whether a message is for us: a worker of the site's own has others. */
const isOurs = (data: unknown): data is PageToWorker => /^viral-/.test(String((data as Partial<PageToWorker> | null)?.kind));

async function handleMessage(event: ClientMessageEvent, client: string): Promise<unknown> {
  const { data, ports } = event;
  const message = data as PageToWorker;
  switch (message.kind) {
    case 'viral-bind': {
      const { manifest, bytes, path, url, hidden, patient } = message;
      learn(manifest, bytes);
      if (url && !bindings.bindReload(url, manifest)) return false;
      if (!url) bindings.bind(client, manifest, path, Date.now(), 'written', hidden, patient);
      if (ports[1]) ears.set(client, ports[1]);
      for (const oldest of ears.keys()) if (ears.size > USED_PAGES_MAX) ears.delete(oldest);
      passed.delete(client);
      const kept = Promise.all([save(), keep(manifestKey(manifest), new Response(bytes))]);
      event.waitUntil(kept);
      // What a reload needs must be written: it may find another worker. A page that is here has this one's memory.
      await Promise.all([url && kept, claim(), preload(!url)]);
      // Its page is open, as far as is seen from here, once it was claimed.
      if (path === PERSONAL) await clean();
      return true;
    }
    case 'viral-stored':
      if (message.path) bindings.use(message.path, message.manifest);
      bindings.setStored(message.manifest, true);
      await clean();
      return Promise.all([save(), announce()]);
    case 'viral-bound': {
      const binding = bindings.of(client);
      return binding?.kind === 'full' ? undefined : binding?.manifest;
    }
    case 'viral-used':
      return [...(used.get(client) ?? [])];
    case 'viral-ping':
      return undefined;
  }
}

scope.addEventListener('fetch', (event) => {
  const found = interest(event.request, scope.location.origin);
  // Of ours the site's worker knows nothing, and on a page that is shown none it hears nothing.
  if (!found && answers() && (event.request.url.startsWith(`${scope.location.origin}/.viral/`) || bindings.of(event.clientId)?.hidden)) event.stopImmediatePropagation();
  if (!found || (answers() && isForSite(event, found))) return;
  event.stopImmediatePropagation();
  if (found.kind === 'navigation') event.respondWith(answerNavigation(event, found.href, found.path));
  else if (!(loaded && passed.has(event.clientId))) event.respondWith(answerAsset(event, found));
});

function isForSite({ clientId }: FetchEvent, found: NonNullable<Interest>): boolean {
  const binding = bindings.of(clientId);
  const listed = !!binding && found.kind === 'asset' && knows(binding.manifest, found.path);
  return isOfSite(found, { loaded, reloads: found.kind === 'navigation' && bindings.awaitsReload(found.href), binding, listed });
}

if (!isAlone) wrap(ofPages, shown);

/** A worker of the site's own claims its pages. */
async function shown(): Promise<void> {
  await loading;
  const clients = new Set(bindings.show());
  for (const client of await windows(true)) if (clients.has(client.id)) client.postMessage(SHOWN, []);
  await save();
}

/** What a page was put in place from, if that is still what the site's worker would get: what it stores it may keep for ever. */
async function ofPages(request: Request): Promise<Response | undefined> {
  const found = interest(request, scope.location.origin);
  if (found?.kind !== 'asset' || request.headers.has('range') || request.cache === 'only-if-cached') return undefined;
  await loading;
  for (const manifest of bindings.recent()) {
    const records = await recordsOf(manifest);
    const record = records.get(found.path);
    const [first] = records.keys();
    if (!record || found.path === first) continue;
    if (request.url.includes('?') && record.headers.some(([name]) => name === 'viral-query')) return undefined;
    const kept = (await fromStore(record)) ?? (await fromPage({ manifest, page: '', at: 0, kind: 'written' }, found.path, request));
    const newer = kept && (found.fresh || !isLasting(record)) && (await ifChanged(request.url, record, true));
    if (newer) void kept.body?.cancel();
    if (kept) return newer || kept;
  }
  return undefined;
}

async function fromPage(binding: Binding, path: string, request: Request): Promise<Response | undefined> {
  const send = await earOf('', binding);
  const asked = send && (await askPage({ kind: 'viral-ask', path, range: null }, send, ASK_FIRST_MS, request, () => undefined));
  asked?.keep?.(null);
  return asked?.response;
}

async function answerNavigation(event: FetchEvent, href: string, path: string): Promise<Response> {
  await loading;
  const reload = bindings.takeReload(href);
  // Off for one announced navigation, which may have been another one than this.
  event.waitUntil(preload(true));
  const placed = reload && (await place(event, reload, path));
  if (placed) return placed;
  try {
    const response = (await event.preloadResponse) ?? (await fetch(event.request));
    const manifest = response.headers.get('viral-manifest');
    const answer = response.headers.get('viral-answer') ?? '';
    if (manifest && answer.endsWith('=stored')) return (await place(event, manifest, path)) ?? (await unplaced(manifest, event.request));
    if (manifest && answer.startsWith('full') && bindings.recent().length) share(event, manifest, path);
    return response;
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
  if (response) bindings.bind(event.resultingClientId, manifest, path, Date.now(), 'stored');
  event.waitUntil(save());
  return response;
}

/** A page that comes whole from the origin has what other pages of the site brought from the store: the browser's own cache never saw it. */
function share(event: FetchEvent, manifest: Digest, path: string): void {
  bindings.bind(event.resultingClientId, manifest, path, Date.now(), 'full');
  const known = recordsOf(manifest)
    .then(async ({ size }) => size || learn(manifest, new Uint8Array(await (await fetch(manifestKey(manifest))).arrayBuffer())))
    .catch(() => undefined);
  sharing.set(manifest, within(SHARE_WAIT_MS, known));
  for (const oldest of sharing.keys()) if (sharing.size > MANIFESTS_KEPT) sharing.delete(oldest);
}

/** The store lost what the server was told of: the document as it is, and the next visit is told no more than is true. */
async function unplaced(manifest: Digest, request: Request): Promise<Response> {
  bindings.setStored(manifest, false);
  await announce();
  // A visit that a worker passes on is answered plain.
  return fetch(request);
}

async function answerAsset(event: FetchEvent, { path, onDemand, fresh }: Extract<Interest, { kind: 'asset' }>): Promise<Response> {
  await loading;
  const { clientId, request, resultingClientId } = event;
  const binding = bindings.of(clientId) ?? (await adopted(clientId, request.referrer, path));
  if (!binding) {
    if (passed.size >= CLIENTS_PASSED_MAX) passed.clear();
    // The page may have been bound meanwhile.
    if (clientId && !bindings.of(clientId)) passed.add(clientId);
    return fetch(request);
  }
  if (/^(shared)?worker$/.test(request.destination) && resultingClientId) bindings.inherit(resultingClientId, binding);
  if (fresh && Date.now() - binding.at > PINNED_MS) return fetch(request);
  await sharing.get(binding.manifest);
  const records = await recordsOf(binding.manifest);
  // A script that reads the page's own document wants it as it is, without the addition, which only the origin has.
  const [first] = records.keys();
  if (path === first) return fetch(request);
  const record = records.get(path);
  // Of such an asset the origin says that another query may lead elsewhere.
  const isExact = request.url.includes('?') ? (headers: Iterable<readonly [string, string]>) => [...headers].some(([name]) => name === 'viral-query') : undefined;
  if (record && isExact?.(record.headers)) return fetch(request);
  const range = request.headers.get('range');
  if (!range) note(binding.page, path);
  // The page is made anew with each visit, and what it loads must be of the same deploy.
  const newer = first === PERSONAL && record && !range && !isLasting(record) && (await ifChanged(request.url, record));
  if (newer) return newer;
  // Where the store has nothing the browser's cache has all, as a rule: it is asked first from then on.
  const listed = fresh ? undefined : record;
  const isCached = cached.has(binding.manifest);
  const early = isCached && (await fromHttpCache(event, binding, listed));
  if (early) return early;
  const kept = (await partOf(await fromStore(record), range)) ?? (binding.kind === 'full' && !record && !range && (await revalidated(request.url, path)));
  const late = kept || (!isCached && (await fromHttpCache(event, binding, listed)));
  if (late) return late;
  const send = binding.kind === 'written' && (record || onDemand) ? await earOf(clientId, binding) : undefined;
  if (!send) return fetch(request);
  const asked = await askPage({ kind: 'viral-ask', path, range }, send, binding.patient ? ASK_PATIENT_MS : record ? ASK_FIRST_MS : ASK_UNKNOWN_MS, request, hold(event));
  const { response } = asked;
  if (!response || !isExact?.(response.headers)) return response ?? networkAnswer(event, asked.keep);
  void response.body?.cancel();
  return fetch(request);
}

/** No longer than browsers let an event last. */
const hold = (event: FetchEvent) => (work: Promise<unknown>): void => event.waitUntil(within(HOLD_MS, work));

/** What the browser's own cache has of the asset, if it is just what the page's version has: nobody need ask the origin whether it still is. */
async function fromHttpCache({ request }: FetchEvent, { kind, manifest }: Binding, record: AssetRecord | undefined): Promise<Response | undefined> {
  if (!record || kind === 'written' || request.headers.has('range')) return undefined;
  const found = await fetch(request, { cache: 'only-if-cached', mode: 'same-origin' }).catch(() => undefined);
  if (!found) return undefined;
  const { ok, headers, body } = found;
  // Content that stayed may have other headers by now.
  const told = [...new Headers(record.headers as [string, string][]), ['content-type', record.mediaType] as const];
  const same = told.every(([name, value]) => /^(etag|last-modified|cache-control)$/.test(name) || headers.get(name) === value);
  if (!ok || !same || !headers.get('etag')?.includes(record.digest.slice(0, 32))) {
    void body?.cancel();
    return undefined;
  }
  if (cached.size >= MANIFESTS_KEPT) cached.clear();
  cached.add(manifest);
  return found;
}

/** What another page of the site brought under this path, if the origin says that it is still the same; else what the origin has now. */
async function revalidated(url: string, path: string): Promise<Response | undefined> {
  for (const manifest of bindings.recent()) {
    const record = (await recordsOf(manifest)).get(path);
    const kept = await fromStore(record);
    if (!record || !kept) continue;
    return (await ifChanged(url, record)) ?? kept;
  }
  return undefined;
}

/** What the origin has now, if that is not what the record says. */
async function ifChanged(url: string, { digest }: AssetRecord, toStore = false): Promise<Response | undefined> {
  const headers = { 'if-none-match': `"${digest.slice(0, 32)}"`, ...(toStore && { [WORKER_HEADER]: 'asset' }) };
  const response = await fetch(url, { headers, cache: 'no-store' });
  return response.status === 304 ? undefined : response;
}

/** Whether an asset's own headers say that it stays as it is for an hour or more, as those do whose names change with their content. */
const isLasting = ({ headers }: AssetRecord): boolean => headers.some(([name, value]) => name === 'cache-control' && /immutable|max-age=(?!0)\d{4}/.test(value));

/** The network's answer; whoever wants to pass it on gets a copy of a whole one, or null. */
async function networkAnswer(event: FetchEvent, give: ((copy: Blob | null) => void) | undefined): Promise<Response> {
  const response = await fetch(event.request).catch((error: unknown) => {
    give?.(null);
    throw error;
  });
  const { status, redirected, body } = response;
  if (!give) return response;
  const headers = new Headers(response.headers);
  if (status !== 200 || redirected || !body || Number(headers.get('content-length') ?? 0) > KEEP_BYTES_MAX) {
    give(null);
    return response;
  }
  // They tell of the body as it travelled, not as it is here.
  if (headers.has('content-encoding')) for (const name of ['content-encoding', 'content-length']) headers.delete(name);
  let over = (): void => undefined;
  hold(event)(new Promise<void>((resolve) => (over = resolve)));
  const passed = copied(body, (copy) => {
    over();
    give(copy);
  });
  return new Response(passed, { headers });
}

/** How to ask the page of a client: over its own port, or as a message to it. A worker that outlives its page, as a shared one may, goes to another page. */
async function earOf(clientId: string, { page, manifest }: Binding): Promise<((message: unknown, port: MessagePort) => void) | undefined> {
  const ear = ears.get(page);
  if (ear && clientId === page) return (message, port) => ear.postMessage(message, [port]);
  // One that is just being installed answers no page yet.
  const open = await windows(!isAlone);
  const other = open.find(({ id }) => id === page) ?? open.find(({ id }) => bindings.of(id)?.kind === 'written' && bindings.of(id)?.manifest === manifest);
  if (!other) return undefined;
  const binding = bindings.of(other.id);
  if (binding && clientId && other.id !== page) bindings.inherit(clientId, binding);
  const theirs = ears.get(other.id);
  return (message, port) => (theirs ?? other).postMessage(message, [port]);
}

/** Open pages; `all` of the site, those as well that another worker answers or none. Never asked by id: in Firefox that does not settle while the client is a worker blocked in `importScripts` (PLATFORM section 14). */
async function windows(all = false): Promise<readonly WorkerClient[]> {
  return (await within(STORE_ANSWER_MS, scope.clients.matchAll({ type: 'window', includeUncontrolled: all }))) ?? [];
}

/** What a worker runs that nobody saw begin: that of the page to which it belongs, where that is sure. */
async function adopted(clientId: string, referrer: string, path: string): Promise<Binding | undefined> {
  const open = await windows();
  if (open.some(({ id }) => id === clientId)) return undefined;
  const refers = referrer && keyOf(new URL(referrer).pathname);
  const candidates = [];
  for (const { id, url } of open) {
    const binding = bindings.of(id);
    if (!binding) continue;
    const records = await recordsOf(binding.manifest);
    const named = !!refers && (records.has(refers) || keyOf(new URL(url).pathname) === refers);
    candidates.push({ page: id, asset: records.get(path)?.digest, refers: named });
  }
  const binding = bindings.of(owner(candidates, candidates.length < open.length) ?? '');
  if (binding && clientId) bindings.inherit(clientId, binding);
  return binding;
}

function note(page: string, path: string): void {
  let paths = used.get(page);
  if (!paths) used.set(page, (paths = new Set()));
  if (paths.size < USED_PATHS_MAX) paths.add(path);
  for (const oldest of used.keys()) if (used.size > USED_PAGES_MAX) used.delete(oldest);
}

async function clean(): Promise<void> {
  const open = new Set((await windows(true)).map(({ id }) => id));
  for (const page of [...ears.keys(), ...used.keys()]) {
    if (open.has(page)) continue;
    ears.delete(page);
    used.delete(page);
  }
  await sweep(bindings.prune(open, MANIFESTS_KEPT));
}
