/** The visitor's network: HTTP and WebSocket as a browser speaks them to the one origin there is, and what its timing says of that. */

import { Agent, WebSocket as Socket, buildConnector, fetch, request } from 'undici';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

/** Connections to one server, as browsers open them over HTTP/1.1. */
const CONNECTIONS = 6;

/** How long an idle connection is kept: longer than a visit pauses. */
const KEEP_ALIVE_MS = 60_000;

/** What a browser's timing adds for the head of an answer, in bytes (Resource Timing Level 2, `transferSize`). */
const HEAD_LEN = 300;

/** Whose shape the requests have. */
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';

/** All cookies of the origin. */
class Cookies {
  /** By name. */
  #all = new Map();

  /** Takes a `Set-Cookie` header, or what a script sets. Of its attributes only those count that end a cookie or hide it from scripts. */
  set(text) {
    const [pair = '', ...attributes] = text.split(';').map((part) => part.trim());
    const [name, value = ''] = pair.split(/=(.*)/s);
    const has = (wanted) => attributes.some((attribute) => wanted.test(attribute));
    if (has(/^max-age=(0|-\d+)$/i)) this.#all.delete(name);
    else this.#all.set(name, { value, hidden: has(/^httponly$/i) });
  }

  /** As a header, or as a script sees them. */
  text(toScript) {
    return [...this.#all].filter(([, { hidden }]) => !(toScript && hidden)).map(([name, { value }]) => `${name}=${value}`).join('; ');
  }
}

/** The network of one visitor. */
export class Network {
  cookies = new Cookies();
  /** Told of each answer to the page: its URL, status, and bytes as they travelled. */
  handleAnswer = () => {};
  /** WebSockets of the page. */
  webSockets = new Set();
  #sockets = new Set();
  #origin;
  #agent;
  /** Counts what comes for the page itself, not what its worker asks for. */
  #counting;
  #signalling;

  /** `origin`: as the page knows it; `host` and `port`: where it is. */
  constructor(origin, host, port) {
    this.#origin = origin;
    const connector = buildConnector({ autoSelectFamily: false });
    const connect = (options, callback) =>
      connector({ ...options, hostname: host, host, port }, (error, socket) => {
        if (socket) this.#sockets.add(socket);
        callback(error, socket);
      });
    const settings = { connect, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS };
    this.#agent = new Agent({ ...settings, connections: CONNECTIONS });
    // A browser's WebSockets are none of the six.
    this.#signalling = new Agent(settings);
    this.#counting = this.#agent.compose((dispatch) => (options, handler) => dispatch(options, new Counted(handler, options, (path, status, len) => this.handleAnswer(origin + path, status, len))));
  }

  /** Bytes that came on the connections of HTTP. */
  bytes() {
    return [...this.#sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }

  /** A navigation to `url`. */
  async navigate(url) {
    const { text, headers } = await this.#get(url, { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none', 'sec-fetch-user': '?1', 'upgrade-insecure-requests': '1' });
    return { html: text, headers };
  }

  /** The text of a script. */
  async script(url, dest = 'script') {
    const { status, text } = await this.#get(url, { accept: '*/*', 'sec-fetch-dest': dest, 'sec-fetch-mode': dest === 'script' ? 'no-cors' : 'same-origin', 'sec-fetch-site': 'same-origin', referer: `${this.#origin}/`, ...(dest === 'serviceworker' && { 'service-worker': 'script' }) });
    if (status !== 200) throw new TypeError(`${url} was answered ${status}`);
    return text;
  }

  /** `fetch` of the page, or of its worker. */
  async fetch(resource, init = {}, isPage = true) {
    const url = new URL(resource.url ?? resource, this.#origin).href;
    const method = init.method ?? resource.method ?? 'GET';
    const headers = this.#headers({ accept: '*/*', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin', referer: `${this.#origin}/` });
    if (method === 'POST') headers.origin = this.#origin;
    for (const [name, value] of [...new Headers(resource.headers), ...new Headers(init.headers)]) headers[name] = value;
    const { mode, cache } = { mode: resource.mode, cache: resource.cache, ...init };
    const response = await fetch(url, { ...init, method, headers, mode: mode ?? 'cors', cache: cache ?? 'default', dispatcher: isPage ? this.#counting : this.#agent });
    for (const cookie of response.headers.getSetCookie()) this.cookies.set(cookie);
    return response;
  }

  /** `sendBeacon`: nobody hears what comes of it. */
  beacon(url, body) {
    this.fetch(url, { method: 'POST', body, headers: { 'content-type': 'text/plain;charset=UTF-8' } }).catch(() => undefined);
    return true;
  }

  /** The `WebSocket` of the page. */
  webSocket() {
    const settings = () => ({ dispatcher: this.#signalling, headers: { origin: this.#origin, 'user-agent': USER_AGENT, cookie: this.cookies.text(false) } });
    const { webSockets } = this;
    return class WebSocket extends Socket {
      constructor(url) {
        super(url, settings());
        webSockets.add(this);
        this.addEventListener('close', () => webSockets.delete(this));
      }
    };
  }

  #headers(more) {
    const cookie = this.cookies.text(false);
    return { 'user-agent': USER_AGENT, 'accept-encoding': 'gzip, deflate, br', 'accept-language': 'en', ...(cookie && { cookie }), ...more };
  }

  async #get(url, headers) {
    const { statusCode, headers: answered, body } = await request(new URL(url, this.#origin), { headers: this.#headers(headers), dispatcher: this.#counting });
    const coded = Buffer.from(await body.arrayBuffer());
    for (const cookie of [answered['set-cookie'] ?? []].flat()) this.cookies.set(cookie);
    const coding = answered['content-encoding'];
    const bytes = coding === 'br' ? brotliDecompressSync(coded) : coding === 'gzip' ? gunzipSync(coded) : coded;
    return { status: statusCode, headers: answered, text: bytes.toString() };
  }
}

/** Hands everything on to another handler, and tells of the whole answer. */
class Counted {
  #handler;
  #path;
  #tell;
  #status = 0;
  #len = HEAD_LEN;

  constructor(handler, { path }, tell) {
    this.#handler = handler;
    this.#path = path;
    this.#tell = tell;
  }

  onRequestStart(controller, context) {
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(controller, status, headers, socket) {
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(controller, status, headers, message) {
    this.#status = status;
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller, chunk) {
    this.#len += chunk.length;
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller, trailers) {
    this.#handler.onResponseEnd?.(controller, trailers);
    this.#tell(this.#path, this.#status, this.#len);
  }

  onResponseError(controller, error) {
    this.#handler.onResponseError?.(controller, error);
  }
}
