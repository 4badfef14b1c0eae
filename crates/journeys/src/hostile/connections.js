// Counts the peer connections the page makes.
(() => {
  window.journey = { connections: 0 };
  const Native = window.RTCPeerConnection;
  if (!Native) return;
  window.RTCPeerConnection = class extends Native {
    constructor(...settings) {
      super(...settings);
      window.journey.connections += 1;
    }
  };
})();
