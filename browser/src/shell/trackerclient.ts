/** The WebSocket to the tracker: comes back by itself after a loss, and registers again. */

import { backoffMs } from '../core/backoff';
import type { PeerToTracker } from '../core/generated/PeerToTracker';
import type { TrackerToPeer } from '../core/generated/TrackerToPeer';

/** Who hears of the socket. */
export interface TrackerHost {
  /** The first messages of each session. */
  register(): PeerToTracker[];
  handleSignal(signal: TrackerToPeer): unknown;
  /** The session ended; another one is tried. */
  handleLost(): void;
}

/** Signals to and from the tracker. */
export class TrackerClient {
  readonly #host: TrackerHost;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wanted = false;

  constructor(host: TrackerHost) {
    this.#host = host;
  }

  /** Connects, and keeps connected until `close`. */
  open(): void {
    this.#wanted = true;
    this.retry();
  }

  /** Tries at once if the connection is down: something said that the network may be back. */
  retry(): void {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#timer);
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/.viral/ws`);
    this.#socket = socket;
    socket.onopen = () => this.#host.register().forEach((signal) => this.send(signal));
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (socket !== this.#socket || typeof data !== 'string') return;
      const signal = JSON.parse(data) as TrackerToPeer;
      if (signal.kind === 'welcome') this.#attempt = 0;
      void this.#host.handleSignal(signal);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#host.handleLost();
      if (this.#wanted) this.#timer = setTimeout(() => this.retry(), backoffMs(this.#attempt++, Math.random()));
    };
  }

  /** Sends a signal; false if there is no session to send it in. */
  send(signal: PeerToTracker): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(signal));
    return true;
  }

  /** Ends the session for good. */
  close(): void {
    this.#wanted = false;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
