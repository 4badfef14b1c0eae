// Wraps RTCDataChannel.send: window.journey.spoil(frame, channel) may replace a frame, or swallow it by returning null.
(() => {
  const journey = (window.journey = { sent: 0, frames: [], spoil: (frame) => frame });
  const send = RTCDataChannel.prototype.send;
  journey.send = send;
  RTCDataChannel.prototype.send = function (data) {
    if (typeof data === 'string') return send.call(this, data);
    const view = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    const frame = journey.spoil(view.slice(), this);
    if (frame === null) return;
    journey.sent += frame.length;
    journey.frames.push(frame[0]);
    return send.call(this, frame);
  };
})();
