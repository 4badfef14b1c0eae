// Changes the last byte of each manifest part (type 0x21): the digest of some piece, in a well-formed manifest.
(() => {
  journey.lies = 0;
  journey.spoil = (frame) => {
    if (frame[0] !== 0x21) return frame;
    frame[frame.length - 1] ^= 0xff;
    journey.lies += 1;
    return frame;
  };
})();
