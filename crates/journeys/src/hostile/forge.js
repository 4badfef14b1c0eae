// Flips one bit in the middle of the body of the first piece (type 0x20, id of 16 bytes, encoding of one).
(() => {
  const HEAD = 18;
  journey.forged = 0;
  journey.spoil = (frame) => {
    if (frame[0] !== 0x20 || journey.forged > 0) return frame;
    frame[HEAD + Math.floor((frame.length - HEAD) / 2)] ^= 0x01;
    journey.forged += 1;
    return frame;
  };
})();
