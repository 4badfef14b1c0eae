// Instead of its first frame on each channel the page sends one kind of garbage; window.journeyGarbage names it.
(() => {
  const bytes = (length, fill) => new Uint8Array(length).fill(fill);
  const frame = (...parts) => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
  const u32 = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const kinds = {
    'inflate-bomb': (honest) => (honest[0] === 0x20 ? frame(honest.slice(0, 17), [1], bomb) : honest),
    'unknown-type': () => frame([0x7f], bytes(40, 1)),
    'empty': () => new Uint8Array(0),
    'truncated': () => frame([0x20], bytes(9, 2)),
    'too-long': () => frame([0x20], bytes(16, 3), [0], bytes(240 * 1024, 4)),
    'unasked-piece': () => frame([0x20], bytes(16, 5), [0], bytes(1000, 6)),
    'huge-manifest': () => frame([0x21], bytes(32, 7), u32(0), u32(0xffffffff), bytes(100, 8)),
    'overlapping-manifest': () => frame([0x21], bytes(32, 9), u32(500), u32(1000), bytes(100, 10)),
  };
  // 64 MiB of zeros in 64 KiB of deflate-raw, ready long before anybody asks.
  let bomb = new Uint8Array([0]);
  const zeros = new Response(new Uint8Array(64 * 1024 * 1024)).body.pipeThrough(new CompressionStream('deflate-raw'));
  new Response(zeros).arrayBuffer().then((buffer) => {
    bomb = new Uint8Array(buffer);
    journey.armed = true;
  });
  journey.garbage = 0;
  journey.hungUp = 0;
  const spoiled = new WeakSet();
  journey.spoil = (honest, channel) => {
    // Channel 1 carries pieces and manifests; garbage there meets the decoder with most to lose.
    if (channel.id !== 1 || spoiled.has(channel)) return honest;
    const sent = kinds[window.journeyGarbage](honest);
    if (sent !== honest) {
      spoiled.add(channel);
      channel.addEventListener('close', () => {
        journey.hungUp += 1;
      });
      journey.garbage += 1;
    }
    return sent;
  };
})();
