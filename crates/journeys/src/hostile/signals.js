// Notes the kinds of messages the page sent to the tracker.
(() => {
  const said = (window.journeySaid = []);
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    send.call(this, data);
    if (typeof data === 'string') said.push(JSON.parse(data).kind);
  };
})();
