/** `RTCPeerConnection` over libdatachannel: its own polyfill (0.33.4), with what it does otherwise than browsers put right. */

import { PeerConnection } from 'node-datachannel';
import { RTCPeerConnection as Polyfill } from 'node-datachannel/polyfill';

/** A page sees a state when it hears of it: libdatachannel's own threads are ahead of that. */
class Observed {
  connection = 'new';
  gathering = 'new';
  #native;

  constructor(native) {
    this.#native = native;
  }

  onStateChange(tell) {
    this.#native.onStateChange((state) => {
      // Of the other end's close a browser says no more than that nothing comes any more.
      this.connection = state === 'closed' ? 'disconnected' : state;
      tell(state);
    });
  }

  onGatheringStateChange(tell) {
    this.#native.onGatheringStateChange((state) => {
      this.gathering = state;
      tell(state);
    });
  }

  /** The native connection for the polyfill, which hears of changes after this has. */
  through() {
    const own = { onStateChange: this.onStateChange.bind(this), onGatheringStateChange: this.onGatheringStateChange.bind(this) };
    return new Proxy(this.#native, { get: (native, name) => own[name] ?? (typeof native[name] === 'function' ? native[name].bind(native) : native[name]) });
  }
}

/** As the page has it. */
export class RTCPeerConnection extends Polyfill {
  /** Those that are not closed: they go with their page. */
  static open = new Set();
  #native;
  #observed;
  #closed = false;
  #described = null;

  constructor({ iceServers = [] } = {}) {
    const urls = iceServers.flatMap((server) => server.urls);
    // Else it makes an offer as soon as there is a channel.
    const native = new PeerConnection('visitor', { iceServers: urls, disableAutoNegotiation: true });
    const observed = new Observed(native);
    super({ iceServers, peerConnection: observed.through() });
    this.#native = native;
    this.#observed = observed;
    RTCPeerConnection.open.add(this);
  }

  /** Without an argument, as the page calls it, the polyfill does nothing. */
  async setLocalDescription() {
    this.#native.setLocalDescription();
  }

  /** It outlives the connection; the native one forgets it when that fails. */
  get localDescription() {
    return (this.#described = (this.#closed ? null : this.#native.localDescription()) ?? this.#described);
  }

  get connectionState() {
    return this.#closed ? 'closed' : this.#observed.connection;
  }

  get iceGatheringState() {
    return this.#observed.gathering;
  }

  createDataChannel(label, options) {
    return lenient(super.createDataChannel(label, options));
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    RTCPeerConnection.open.delete(this);
    // Not in the middle of one of its own events.
    setImmediate(() => super.close());
  }
}

/** Of a channel that is gone libdatachannel throws where a browser does nothing. */
function lenient(channel) {
  for (const name of ['bufferedAmount', 'bufferedAmountLowThreshold']) {
    const { get, set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(channel), name);
    const attempt = (work, otherwise) => {
      try {
        return work();
      } catch {
        return otherwise;
      }
    };
    Object.defineProperty(channel, name, { get: () => attempt(() => get.call(channel), 0), set: (value) => void attempt(() => set?.call(channel, value)) });
  }
  return channel;
}
