// Swallows every frame.
(() => {
  journey.swallowed = 0;
  journey.spoil = () => {
    journey.swallowed += 1;
    return null;
  };
})();
