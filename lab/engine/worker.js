/** Service worker and Cache Storage: the worker is the one that the server sends, in the page's own thread. */

import vm from 'node:vm';

/** The only page, as its worker knows it. */
const PAGE = 'page';

/** Listeners of a worker's global scope, with events that can be waited for and stopped. */
class Listeners {
  #all = [];

  addEventListener = (type, listener) => void this.#all.push({ type, listener });

  /** Resolves once everything that the event was to wait for is over. */
  async dispatch(type, facts = {}) {
    const work = [];
    let stopped = false;
    const event = { ...facts, type, waitUntil: (one) => void work.push(one), stopImmediatePropagation: () => (stopped = true) };
    for (const one of this.#all) if (one.type === type && !stopped) one.listener(event);
    await Promise.all(work.map((one) => Promise.resolve(one).catch(() => undefined)));
  }
}

class ServiceWorker {
  scriptURL;
  state = 'activated';
  #hear;

  constructor(scriptURL, hear) {
    this.scriptURL = scriptURL;
    this.#hear = hear;
  }

  postMessage(data, ports = []) {
    setImmediate(() => this.#hear(data, ports));
  }
}

/** `navigator.serviceWorker`. */
export class ServiceWorkerContainer extends EventTarget {
  #network;
  #origin;
  #caches;
  #registration;
  #controller = null;
  #listeners = new Listeners();
  #active = () => {};
  #ready = new Promise((resolve) => (this.#active = resolve));

  constructor(network, origin, caches) {
    super();
    this.#network = network;
    this.#origin = origin;
    this.#caches = caches;
  }

  get controller() {
    return this.#controller;
  }

  get ready() {
    return this.#ready;
  }

  async getRegistration() {
    return this.#registration;
  }

  async getRegistrations() {
    return this.#registration ? [this.#registration] : [];
  }

  startMessages() {}

  async register(url) {
    if (this.#registration) return this.#registration;
    const { href } = new URL(url, this.#origin);
    const code = await this.#network.script(url, 'serviceworker');
    const active = new ServiceWorker(href, (data, ports) => void this.#listeners.dispatch('message', { data, ports, source: { id: PAGE } }));
    const navigationPreload = { enable: async () => {}, disable: async () => {}, setHeaderValue: async () => {} };
    const registration = Object.assign(new EventTarget(), { scope: `${this.#origin}/`, active, waiting: null, installing: null, navigationPreload, update: async () => {}, unregister: async () => true });
    this.#registration = registration;
    this.#run(href, code, registration);
    await this.#listeners.dispatch('install');
    await this.#listeners.dispatch('activate');
    this.#active(registration);
    return registration;
  }

  /** What the worker answers to a request of the page; undefined where it leaves that alone or there is none. */
  answer(request) {
    if (!this.#controller) return undefined;
    let answer;
    void this.#listeners.dispatch('fetch', { request, clientId: PAGE, resultingClientId: '', respondWith: (response) => (answer = response) });
    return answer;
  }

  #run(href, code, registration) {
    const client = { id: PAGE, url: `${this.#origin}/`, type: 'window', postMessage: (data, ports = []) => setImmediate(() => this.dispatchEvent(Object.assign(new Event('message'), { data, ports, source: this.#controller }))) };
    const claim = async () => {
      if (this.#controller) return;
      this.#controller = registration.active;
      setImmediate(() => this.dispatchEvent(new Event('controllerchange')));
    };
    const fetch = (resource, init) => this.#network.fetch(resource, init, false);
    const scope = {
      location: new URL(href),
      registration,
      clients: { claim, get: async () => client, matchAll: async () => [client] },
      onfetch: null,
      caches: this.#caches,
      fetch,
      skipWaiting: async () => {},
      addEventListener: this.#listeners.addEventListener,
    };
    // What the worker names without its scope is shadowed: the page in the same thread has its own.
    const names = { globalThis: scope, self: scope, location: scope.location, fetch, caches: this.#caches, performance: { now: () => performance.now() } };
    vm.compileFunction(code, Object.keys(names), { filename: href })(...Object.values(names));
  }
}

/** Cache Storage in memory. */
export class CacheStorage {
  #origin;
  /** By name, then by URL. */
  #all = new Map();

  constructor(origin) {
    this.#origin = origin;
  }

  async open(name) {
    let kept = this.#all.get(name);
    if (!kept) this.#all.set(name, (kept = new Map()));
    return {
      put: async (key, response) => void kept.set(this.#href(key), { blob: await response.blob(), headers: [...response.headers], status: response.status }),
      match: async (key) => found(kept, this.#href(key)),
      delete: async (key) => kept.delete(this.#href(key)),
      keys: async () => [...kept.keys()].map((url) => ({ url })),
    };
  }

  async match(key, { cacheName } = {}) {
    const names = cacheName ? [cacheName] : [...this.#all.keys()];
    return names.map((name) => found(this.#all.get(name), this.#href(key))).find((response) => response);
  }

  async has(name) {
    return this.#all.has(name);
  }

  async delete(name) {
    return this.#all.delete(name);
  }

  async keys() {
    return [...this.#all.keys()];
  }

  #href(key) {
    return new URL(key.url ?? key, this.#origin).href;
  }
}

function found(kept, href) {
  const one = kept?.get(href);
  return one && new Response(one.blob, { status: one.status, headers: one.headers });
}
