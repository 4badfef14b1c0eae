// Notes the kinds of messages the page sent to the tracker, and what it said last that it holds.
(() => {
  const said = (window.journeySaid = []);
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    send.call(this, data);
    if (typeof data !== 'string') return;
    const message = JSON.parse(data);
    said.push(message.kind);
    if (message.kind === 'held') window.journeyHeld = message;
  };
})();
