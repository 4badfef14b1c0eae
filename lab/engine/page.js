/** A window with a document, as far as the scripts that the server sends use them; every script in a document runs, in order. */

import vm from 'node:vm';
import { createHash } from 'node:crypto';
import { RTCPeerConnection } from './connection.js';
import { CacheStorage, ServiceWorkerContainer } from './worker.js';

/** Milliseconds of this process, whose pages have clocks of their own. */
export const clock = performance.now.bind(performance);

/** An element that nobody sees. */
class Element {
  localName;
  style = {};
  dataset = {};
  textContent = '';
  sheet = null;
  #page;

  constructor(page, localName, attributes = {}) {
    this.#page = page;
    this.localName = localName;
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('data-')) this.dataset[name.slice(5)] = value;
      else this[name] = value;
    }
  }

  /** A script that has a source runs once it came. */
  append(...children) {
    for (const child of children) if (child.localName === 'script' && child.src) void this.#page.runLater(child);
  }

  remove() {}

  hasAttribute(name) {
    return name in this;
  }
}

/** Resources that a document names: those it must have before it has loaded, and scripts in their order. */
function parsed(html, page) {
  const tags = html.matchAll(/<!--.*?-->|<(script|style)\b([^>]*)>(.*?)<\/\1\s*>|<(link)\b([^>]*)>/gis);
  return [...tags].flatMap(([, raw, ofRaw, text = '', link, ofLink]) => {
    if (!raw && !link) return [];
    const attributes = Object.fromEntries([...(ofRaw ?? ofLink).matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g)].map(([, name, a, b, c]) => [name.toLowerCase(), a ?? b ?? c ?? '']));
    return [Object.assign(new Element(page, (raw ?? link).toLowerCase(), attributes), { textContent: text })];
  });
}

/** The page of one visitor, whose globals are those of this process. */
export class Page {
  /** Why the page was left for the plain one, if it was. */
  left;
  /** What went wrong in a script of the page. */
  errors = [];
  /** When each script ran that a document names or the loader brings in, in milliseconds since the visit began. */
  ran = {};
  /** What the documents preloaded, by path. */
  preloads = new Map();
  /** When the loader wrote the app's document, in milliseconds since the visit began. */
  deployedMs;
  #network;
  #origin;
  #events = new EventTarget();
  #documentEvents = new EventTarget();
  #elements = [];
  #written;
  /** The last cookie that a script set. */
  #said = '';
  #preloaded = new Map();
  #entries = [];
  #began = performance.now();
  #leave = () => {};
  /** Resolves once the page is left for the plain one. */
  gone = new Promise((resolve) => (this.#leave = resolve));

  constructor(network, origin) {
    this.#network = network;
    this.#origin = origin;
    network.handleAnswer = (name, responseStatus, transferSize) => void this.#entries.push({ name, responseStatus, transferSize, decodedBodySize: transferSize, startTime: this.now(), workerStart: 0, entryType: 'resource' });
    this.#install();
  }

  /** Milliseconds since the visit began. */
  now() {
    return clock() - this.#began;
  }

  /** Opens `url`. Gives back what the server called its answer. */
  async open(url) {
    this.#began = clock();
    const { html, headers } = await this.#network.navigate(url);
    void this.#show(html);
    return String(headers['viral-answer'] ?? '');
  }

  /** The visitor closes the page. */
  close() {
    this.#events.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
  }

  /** Runs a script that an element names; nobody waits for it. */
  async runLater(element) {
    try {
      const code = await this.#network.script(element.src);
      const [kind, digest] = (element.integrity ?? '').split(/-(.*)/s);
      if (kind && createHash(kind).update(code).digest('base64') !== digest) throw new TypeError(`${element.src} is another script`);
      this.#run(element, code);
    } catch (error) {
      this.errors.push(String(error));
      element.onerror?.(new Event('error'));
    }
  }

  /** Puts a document in place: its scripts run in order, and it has loaded once what it preloads is there. */
  async #show(html) {
    const { document } = globalThis;
    document.readyState = 'loading';
    this.#elements = parsed(html, this);
    const preloads = this.#elements.filter(({ localName, rel, as }) => localName === 'link' && rel === 'preload' && as === 'fetch').map(({ href }) => {
      const response = this.#fetch(href).then(whole);
      this.#preloaded.set(new URL(href, this.#origin).href, response);
      return response.then(({ bytes }) => this.preloads.set(href, bytes), () => undefined);
    });
    for (const element of this.#elements) {
      if (element.localName !== 'script' || (element.type && !/^(text\/javascript|module)$/.test(element.type))) continue;
      if (!element.src) this.#run(element, element.textContent);
      else await this.#fetch(element.src).then(async (response) => this.#run(element, await response.text())).catch((error) => this.errors.push(`${element.src}: ${error}`));
    }
    document.readyState = 'interactive';
    this.#events.dispatchEvent(new Event('DOMContentLoaded'));
    await Promise.all(preloads);
    document.readyState = 'complete';
    for (const type of ['load', 'pageshow']) this.#events.dispatchEvent(Object.assign(new Event(type), { persisted: false }));
  }

  #run(element, code) {
    const { document } = globalThis;
    document.currentScript = element;
    if (element.src) this.ran[element.src.split('?', 1)[0]] = Math.round(this.now());
    try {
      vm.runInThisContext(code, { filename: element.src ?? 'inline' });
    } catch (error) {
      this.#failed('error', error);
    } finally {
      document.currentScript = null;
    }
  }

  /** `fetch` of the page: by its worker, where that answers. */
  async #fetch(resource, init = {}) {
    const url = new URL(resource.url ?? resource, this.#origin).href;
    const method = init.method ?? 'GET';
    const early = method === 'GET' && this.#preloaded.get(url);
    if (early) {
      this.#preloaded.delete(url);
      return (await early).response;
    }
    const request = { url, method, headers: new Headers(init.headers), mode: init.mode ?? 'cors', cache: init.cache ?? 'default', destination: '', referrer: `${this.#origin}/`, integrity: '' };
    return globalThis.navigator.serviceWorker.answer(request) ?? this.#network.fetch(url, init);
  }

  #failed(type, error) {
    this.errors.push(String(error?.stack ?? error));
    this.#events.dispatchEvent(Object.assign(new Event(type), { error, reason: error }));
  }

  /** The page goes to another one. Of the loader's reasons an accident is told from the others by how long it holds. */
  #leaveFor(address) {
    const [, cause, seconds] = /^viral=([a-z-]+);.*max-age=(\d+)/i.exec(this.#said) ?? [];
    this.left ??= seconds === '60' ? 'fault' : (cause ?? (address || 'reload'));
    for (const connection of [...RTCPeerConnection.open, ...this.#network.webSockets]) connection.close();
    this.#leave(this.left);
  }

  #install() {
    const events = this.#events;
    const caches = new CacheStorage(this.#origin);
    const serviceWorker = new ServiceWorkerContainer(this.#network, this.#origin, caches);
    const { hostname, host, protocol, href, origin } = new URL(this.#origin);
    const globals = {
      window: globalThis,
      self: globalThis,
      isSecureContext: true,
      location: { hostname, host, protocol, href, origin, pathname: '/', search: '', hash: '', reload: () => this.#leaveFor(''), replace: (to) => this.#leaveFor(to) },
      navigator: { serviceWorker, userAgent: 'Chrome node', userAgentData: {}, onLine: true, sendBeacon: (url, body) => this.#network.beacon(url, body) },
      document: this.#document(),
      localStorage: new Storage(),
      sessionStorage: new Storage(),
      caches,
      performance: this.#performance(),
      PerformanceObserver: this.#observer(),
      fetch: (resource, init) => this.#fetch(resource, init),
      WebSocket: this.#network.webSocket(),
      RTCPeerConnection,
      ServiceWorkerContainer,
      Element,
      Image: class {},
      CSSStyleSheet: class {
        replaceSync() {}
      },
      PageTransitionEvent: class extends Event {
        persisted = false;
      },
      addEventListener: events.addEventListener.bind(events),
      removeEventListener: events.removeEventListener.bind(events),
      dispatchEvent: events.dispatchEvent.bind(events),
    };
    for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: true });
    process.on('uncaughtException', (error) => this.#failed('error', error));
    process.on('unhandledRejection', (error) => this.#failed('unhandledrejection', error));
  }

  #document() {
    const page = this;
    const events = this.#documentEvents;
    const root = new Element(this, 'html');
    return {
      readyState: 'loading',
      visibilityState: 'visible',
      currentScript: null,
      adoptedStyleSheets: [],
      documentElement: root,
      head: root,
      body: root,
      get cookie() {
        return page.#network.cookies.text(true);
      },
      set cookie(text) {
        page.#said = text;
        page.#network.cookies.set(text);
      },
      createElement: (localName) => Object.assign(new Element(this, localName), localName === 'iframe' && { contentWindow: null, contentDocument: null }),
      getElementById: (id) => this.#elements.find((element) => element.id === id) ?? root,
      querySelector: (selector) => this.#elements.find(({ localName }) => localName === selector) ?? null,
      addEventListener: events.addEventListener.bind(events),
      removeEventListener: events.removeEventListener.bind(events),
      open: () => (this.#written = ''),
      write: (html) => (this.#written += html),
      close: () => {
        this.deployedMs ??= this.now();
        setImmediate(() => void this.#show(this.#written));
      },
    };
  }

  #performance() {
    const navigation = { entryType: 'navigation', name: `${this.#origin}/`, transferSize: 0, startTime: 0, workerStart: 0 };
    return {
      now: () => this.now(),
      timeOrigin: Date.now(),
      getEntries: () => [navigation, ...this.#entries],
      getEntriesByType: (type) => (type === 'navigation' ? [navigation] : type === 'resource' ? this.#entries : []),
      setResourceTimingBufferSize: () => {},
    };
  }

  /** Tells all that came so far, and what comes from then on. */
  #observer() {
    const page = this;
    return class {
      #tell;

      constructor(tell) {
        this.#tell = tell;
      }

      observe() {
        let told = 0;
        const look = () => {
          const list = page.#entries.slice(told);
          told = page.#entries.length;
          if (list.length) this.#tell({ getEntries: () => list });
        };
        look();
        setInterval(look, 200).unref();
      }
    };
  }
}

/** An answer once all of it is there. */
async function whole(response) {
  const bytes = await response.arrayBuffer();
  return { bytes, response: new Response(bytes, { status: response.status, headers: response.headers }) };
}

class Storage {
  getItem(key) {
    return this[key] ?? null;
  }

  setItem(key, value) {
    this[key] = String(value);
  }

  removeItem(key) {
    delete this[key];
  }
}
