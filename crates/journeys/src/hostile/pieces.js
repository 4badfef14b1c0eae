// Spoils how pieces (type 0x20) are sent, as window.journeyPieces says, once window.journeyAfter bytes were sent as they should be.
(() => {
  const HEAD = 18;
  const held = [];
  journey.spoiled = 0;
  const spoil = {
    // A few at a time, the last one first.
    reverse(frame, channel) {
      held.push(frame);
      if (held.length === 1) {
        setTimeout(() => {
          for (const each of held.splice(0).reverse()) journey.send.call(channel, each);
        }, 300);
      }
      return null;
    },
    twice(frame, channel) {
      journey.send.call(channel, frame.slice());
      return frame;
    },
    never() {
      return null;
    },
  };
  journey.spoil = (frame, channel) => {
    if (frame[0] !== 0x20 || frame.length <= HEAD || journey.sent < window.journeyAfter) return frame;
    journey.spoiled += 1;
    return spoil[window.journeyPieces](frame, channel);
  };
})();
