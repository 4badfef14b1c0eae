/** What the service worker answers from the page: a stream of verified pieces in order, and the rest from the network where the page falls silent. */

import { partial } from './answer';
import { ASK_SILENCE_MS, CREDITS, DRAIN_MS } from './limits';
import { END, ENOUGH } from './workerclient';
import type { Described, PageAnswer, WorkerToPage } from './workerclient';

/** The page's answer, if it gives one; else what it would like to have of the network's. */
export interface Asked {
  readonly response?: Response;
  /** Takes a copy of what the network gave; null if there is none. */
  readonly keep?: (copy: Blob | null) => void;
}

/** Ports and bodies of answers under way: Firefox ends an open body that nothing refers to as if it were complete. */
const open = new Set<object>();

/** What keeps the worker as it is until this is over: one that takes its place ends it, and its open bodies look complete in Firefox (measured). */
export type Hold = (work: Promise<unknown>) => void;

/** Asks over `send`; the page's first word must come within `firstMs`. `request` is what the network is asked if the page does not go on. */
export function askPage(ask: WorkerToPage, send: (message: WorkerToPage, port: MessagePort) => void, firstMs: number, request: Request, hold: Hold): Promise<Asked> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const over = (asked: Asked): void => {
      clearTimeout(timer);
      if (!asked.response && !asked.keep) {
        // Whatever the page says later is too late.
        port1.onmessage = null;
        port1.postMessage(END);
      }
      resolve(asked);
    };
    let timer = setTimeout(over, firstMs, {});
    port1.onmessage = ({ data }: MessageEvent<PageAnswer>) => {
      if (data.kind === 'coming') {
        clearTimeout(timer);
        timer = setTimeout(over, ASK_SILENCE_MS, {});
      } else if (data.kind === 'no') over(data.keep ? { keep: (copy) => port1.postMessage(copy ?? END) } : {});
      else {
        const { headers, from, to, total } = data;
        const init = ask.range ? partial(headers, from, to, total) : { headers };
        let body: BodyInit;
        if (data.kind === 'blob') body = data.blob;
        else {
          const page = new PageBody(port1, request, data);
          hold(page.over);
          body = new ReadableStream(page, { highWaterMark: CREDITS });
        }
        over({ response: new Response(body, init) });
      }
    };
    send(ask, port2);
  });
}

/** The bytes that come over the port, in order. What the page does not send in time comes from the network, as fast as it is read. */
class PageBody implements UnderlyingDefaultSource<Uint8Array> {
  readonly #port: MessagePort;
  readonly #request: Request;
  readonly #described: Described;
  #at: number;
  #credits = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #rest: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isOver: () => void = () => undefined;
  /** All of it was given, or nobody wants more. */
  readonly over = new Promise<void>((resolve) => (this.#isOver = resolve));

  constructor(port: MessagePort, request: Request, described: Described) {
    this.#port = port;
    this.#request = request;
    this.#described = described;
    this.#at = described.from;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#port.onmessage = ({ data }: MessageEvent<ArrayBuffer | string | null>) => {
      if (data instanceof ArrayBuffer) {
        this.#credits--;
        this.#give(new Uint8Array(data));
      }
      if (data === null && this.#left()) void this.#goOn();
      else this.#watch();
    };
    open.add(this);
    this.#ask(CREDITS);
  }

  pull(): Promise<void> | undefined {
    if (this.#rest) return this.#more(this.#rest);
    if (this.#left()) this.#ask(1);
    return undefined;
  }

  cancel(reason: unknown): Promise<void> | undefined {
    this.#end();
    return this.#rest?.cancel(reason);
  }

  #left(): number {
    return this.#described.to - this.#at;
  }

  #ask(count: number): void {
    this.#credits += count;
    this.#port.postMessage(count);
    this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    // A page that was asked for nothing more is rightly silent.
    if (this.#credits > 0 && this.#left()) this.#timer = setTimeout(() => void this.#goOn(), ASK_SILENCE_MS);
  }

  #give(bytes: Uint8Array): void {
    this.#at += bytes.length;
    this.#controller?.enqueue(bytes);
    if (this.#left()) return;
    this.#end();
    this.#controller?.close();
  }

  /** The page does not. */
  async #goOn(): Promise<void> {
    clearTimeout(this.#timer);
    this.#port.onmessage = null;
    this.#port.postMessage(ENOUGH);
    try {
      this.#rest = await fromNetwork(this.#request, this.#at, this.#described);
      await this.#more(this.#rest);
    } catch (error) {
      this.#end();
      this.#controller?.error(error);
    }
  }

  /** One more chunk of the network's. A body that is cut short is an error: it must not look complete. */
  async #more(rest: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const { value } = await rest.read();
    if (value) return this.#give(value);
    if (!this.#left()) return;
    this.#end();
    this.#controller?.error(new TypeError('the rest was cut short'));
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#port.onmessage = null;
    this.#port.postMessage(END);
    open.delete(this);
    setTimeout(this.#isOver, DRAIN_MS);
  }
}

/** What lies from `at` on. Only of the same content, which the origin's tag names: the site may have changed meanwhile. */
async function fromNetwork({ url }: Request, at: number, { to, total, digest }: Described): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const { status, headers, body } = await fetch(url, { headers: { range: `bytes=${at}-${to - 1}` } });
  const same = headers.get('etag')?.startsWith(`"${digest.slice(0, 32)}`) && headers.get('content-range') === `bytes ${at}-${to - 1}/${total}`;
  if (status !== 206 || !same || !body) throw new TypeError('the rest is not to be had');
  return body.getReader();
}

/** A body as it passes by; `give` gets all of it, or null if it broke or nobody wanted the rest: a clone would be read to its end all the same. */
export function copied(from: ReadableStream<Uint8Array<ArrayBuffer>>, give: (copy: Blob | null) => void): ReadableStream<Uint8Array> {
  const reader = from.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  open.add(reader);
  const end = (copy: Blob | null): void => {
    open.delete(reader);
    give(copy);
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) {
          chunks.push(value);
          return controller.enqueue(value);
        }
        controller.close();
        end(new Blob(chunks));
      } catch (error) {
        controller.error(error);
        end(null);
      }
    },
    cancel(reason) {
      end(null);
      return reader.cancel(reason);
    },
  });
}
