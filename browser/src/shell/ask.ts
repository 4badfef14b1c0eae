/** What the service worker answers from the page: a stream of verified pieces in order, and the rest from the network where the page falls silent. */

import { partial } from './answer';
import { ASK_SILENCE_MS, CREDITS } from './limits';
import type { Described, PageAnswer, WorkerToPage } from './workerclient';

/** The page's answer, if it gives one; else what it would like to have of the network's. */
export interface Asked {
  readonly response?: Response;
  /** Takes a copy of what the network gave; null if there is none. */
  readonly keep?: (copy: Blob | null) => void;
}

/** Ports and bodies of answers under way: Firefox ends an open body that nothing refers to as if it were complete. */
const open = new Set<object>();

/** Asks over `send`; the page's first word must come within `firstMs`. `request` is what the network is asked if the page does not go on. */
export function askPage(ask: WorkerToPage, send: (message: WorkerToPage, port: MessagePort) => void, firstMs: number, request: Request): Promise<Asked> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const over = (asked: Asked): void => {
      clearTimeout(timer);
      if (!asked.response && !asked.keep) port1.postMessage(0);
      resolve(asked);
    };
    let timer = setTimeout(over, firstMs, {});
    port1.onmessage = ({ data }: MessageEvent<PageAnswer>) => {
      if (data.kind === 'coming') {
        clearTimeout(timer);
        timer = setTimeout(over, ASK_SILENCE_MS, {});
      } else if (data.kind === 'no') over(data.keep ? { keep: (copy) => port1.postMessage(copy ?? 0) } : {});
      else {
        const { headers, from, to, total } = data;
        const init = ask.range ? partial(headers, from, to, total) : { headers };
        const body = data.kind === 'blob' ? data.blob : bodyOf(port1, request, data);
        over({ response: new Response(body, init) });
      }
    };
    send(ask, port2);
  });
}

/** The bytes that come over the port, in order. What the page does not send in time comes from the network. */
function bodyOf(port: MessagePort, request: Request, described: Described): ReadableStream<Uint8Array> {
  const { from, to } = described;
  let at = from;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const held = {};
  const end = (): void => {
    clearTimeout(timer);
    port.onmessage = null;
    port.postMessage(0);
    open.delete(held);
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const give = (bytes: Uint8Array): void => {
          at += bytes.length;
          controller.enqueue(bytes);
          if (at < to) return;
          end();
          controller.close();
        };
        const goOn = (): void => {
          end();
          open.add(held);
          fromNetwork(request, at, described, give).catch((error: unknown) => controller.error(error)).finally(() => open.delete(held));
        };
        const watch = (): void => {
          clearTimeout(timer);
          timer = setTimeout(goOn, ASK_SILENCE_MS);
        };
        port.onmessage = ({ data }: MessageEvent<ArrayBuffer | null>) => {
          watch();
          if (data) give(new Uint8Array(data));
          else if (at < to) goOn();
        };
        watch();
        port.postMessage(CREDITS);
        Object.assign(held, { controller, port });
        open.add(held);
      },
      pull: () => port.postMessage(1),
      cancel: end,
    },
    { highWaterMark: CREDITS },
  );
  return body;
}

/**
 * Gives what lies from `at` on. Only of the same content, which the origin's tag names: the site may have changed meanwhile. A whole body that is cut short
 * is an error: it must not look complete.
 */
async function fromNetwork({ url }: Request, at: number, { to, total, digest }: Described, give: (bytes: Uint8Array) => void): Promise<void> {
  const { status, headers, body } = await fetch(url, { headers: { range: `bytes=${at}-${to - 1}` } });
  const same = headers.get('etag')?.startsWith(`"${digest.slice(0, 32)}`) && headers.get('content-range') === `bytes ${at}-${to - 1}/${total}`;
  if (status !== 206 || !same || !body) throw new TypeError('the rest is not to be had');
  const reader = body.getReader();
  for (let left = to - at; left > 0; ) {
    const { done, value } = await reader.read();
    if (done) throw new TypeError('the rest was cut short');
    left -= value.length;
    give(value);
  }
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
