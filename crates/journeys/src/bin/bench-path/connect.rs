//! Thin answer: its size, and how long until the channel is open and the demo is there.

use serde_json::json;
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::http::NAVIGATION;
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;

use crate::numbers::{Table, Target};

/// Notes when the first data channel opens, the steps on the way there, and when the deployed page has loaded.
const WATCH: &str = "
(() => {
  window.steps = [];
  const note = (name) => window.steps.push(`${name} ${Math.round(performance.now())}`);
  note('script');
  for (const name of ['setRemoteDescription', 'setLocalDescription']) {
    const step = RTCPeerConnection.prototype[name];
    RTCPeerConnection.prototype[name] = async function (...settings) {
      note(name);
      const done = await step.apply(this, settings);
      note(`${name} done`);
      this.addEventListener('icecandidate', ({ candidate }) => candidate && note('candidate'));
      this.addEventListener('iceconnectionstatechange', () => note(this.iceConnectionState));
      this.addEventListener('connectionstatechange', () => note(this.connectionState));
      return done;
    };
  }
  const fetched = window.fetch;
  window.fetch = async (...request) => {
    note(`fetch ${String(request[0]).slice(0, 20)}`);
    const reply = await fetched(...request);
    note(`fetched ${String(request[0]).slice(0, 20)}`);
    return reply;
  };
  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...settings) {
    const channel = create.apply(this, settings);
    channel.addEventListener('open', () => { window.openedAt ??= performance.now(); });
    return channel;
  };
  const close = Document.prototype.close;
  Document.prototype.close = function () {
    close.call(this);
    const loaded = () => { window.loadedAt ??= performance.now(); };
    if (document.readyState === 'complete') loaded(); else window.addEventListener('load', loaded);
  };
})();";

/// Forgets everything a visitor of this site would keep.
pub(crate) async fn forget(visitor: &Visitor, server: &str) {
    visitor.open("about:blank").await;
    visitor.until("the page is left", "location.href === 'about:blank'").await;
    visitor.devtools("Storage.clearDataForOrigin", &json!({ "origin": server, "storageTypes": "all" })).await;
    visitor.devtools("Network.clearBrowserCache", &json!({})).await;
    visitor.devtools("Network.clearBrowserCookies", &json!({})).await;
}

pub(crate) async fn measure(runs: usize, table: &Table) -> anyhow::Result<()> {
    let server = Server::demo().await;
    let seeder = Visitor::fresh(Chromium).await;
    seeder.open(&server.url("/")).await;
    seeder.until_status("it seeds", |status| status.role == "seeder").await;
    server.until_seeders(1).await;

    let mut asks = NAVIGATION.to_vec();
    asks.push(("accept-encoding", "br"));
    let thin = server.get("/", &asks).await;
    anyhow::ensure!(thin.header("viral-answer").starts_with("thin") && thin.header("content-encoding") == "br", "{:?}", thin.headers);
    table.add("thin answer of the demo, brotli, HTTP body", thin.body.len() as f64, "B", Target::AtMost(14_600.0));

    let visitor = Visitor::fresh(Chromium).await;
    visitor.run_before_load(WATCH).await;
    let origin = server.url("");
    let (mut opened, mut deployed, mut plainly) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        forget(&visitor, &origin).await;
        server.until_seeders(1).await;
        visitor.open(&server.url("/")).await;
        let times = visitor
            .until("the demo is deployed", "window.loadedAt && window.openedAt && [performance.getEntriesByType('navigation')[0].responseEnd, window.openedAt, window.loadedAt]")
            .await;
        if std::env::var_os("VIRAL_BENCH_STEPS").is_some() {
            println!("{} {}", times, visitor.run("return window.steps.join(', ')").await);
        }
        let at = |index: usize| times[index].as_f64().unwrap_or(f64::NAN);
        opened.push(at(1) - at(0));
        deployed.push(at(2));

        forget(&visitor, &origin).await;
        visitor.devtools("Network.setCookie", &json!({ "url": origin, "name": "viral", "value": "off" })).await;
        visitor.open(&server.url("/")).await;
        let loaded = visitor.until("the plain demo is loaded", "performance.getEntriesByType('navigation')[0].loadEventEnd").await;
        plainly.push(loaded.as_f64().unwrap_or(f64::NAN));
    }
    table.add_median("thin answer received -> data channel open, Chromium, loopback", &opened, "ms", Target::AtMost(100.0));
    table.add_median("navigation -> demo deployed and loaded, thin, Chromium, loopback", &deployed, "ms", Target::None);
    table.add_median("navigation -> demo loaded, plain, Chromium, loopback", &plainly, "ms", Target::None);
    Ok(())
}
