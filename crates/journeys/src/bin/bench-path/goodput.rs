//! Verified bytes per second from one Chromium to another: viral, a raw data channel, WebTorrent, in turns in the same two browsers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::process::Process;
use viral_journeys::server::Server;
use viral_journeys::site::{App, noise};
use viral_journeys::visitor::Visitor;

use crate::connect::forget;
use crate::numbers::{Table, Target, median};

/// Length of the asset.
pub(crate) const LEN: usize = 32 << 20;

/// Until the tracker of WebTorrent listens.
const TRACKER_READY: Duration = Duration::from_secs(30);

pub(crate) async fn measure(runs: usize, table: &Table) -> anyhow::Result<()> {
    let rivals = Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals");
    let mut site = App::default().site();
    site.write("/big.bin", noise(32, LEN));
    site.write("/webtorrent.min.js", std::fs::read(rivals.join("node_modules/webtorrent/dist/webtorrent.min.js"))?);
    site.write("/rivals.js", include_str!("rivals.js"));
    let logs = tempfile::tempdir()?;
    let mut tracker = Process::start(Command::new("node").arg("tracker.mjs").current_dir(&rivals), logs.path())?;
    let port: u16 = tracker.expect_line(TRACKER_READY, |line| line.strip_prefix("tracker on port ")?.parse().ok())?;

    let server = Server::serve(site.folder(), &[]).await;
    let seeder = Visitor::visiting(Chromium, &server.url("/")).await;
    seeder.sha256_of("/big.bin").await;
    seeder.until_status("it seeds", |status| status.role == "seeder").await;
    server.until_seeders(1).await;
    seeder.run_async("window.rivals = await import('/rivals.js')").await;
    let torrent = seeder.run_async(&format!("return window.rivals.seedTorrent('/big.bin', 'ws://127.0.0.1:{port}')")).await;

    let leecher = Visitor::fresh(Chromium).await;
    let (mut ours, mut raw, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(fresh_visit(&server, &leecher).await?);
        raw.push(rate(raw_channel(&seeder, &leecher).await));
        let script = format!("return window.rivals.leechTorrent({torrent}, {LEN})");
        theirs.push(rate(leecher.run_async(&script).await.as_f64().unwrap_or(f64::NAN)));
    }
    let ours = rates(&ours, table);
    table.add_median("32 MiB asset Chromium -> Chromium, viral, verified, from peers", &ours, "MB/s", Target::None);
    table.add_median("32 MiB Chromium -> Chromium, raw data channel", &raw, "MB/s", Target::None);
    table.add_median("32 MiB Chromium -> Chromium, WebTorrent 3, from its first byte", &theirs, "MB/s", Target::None);
    table.add("goodput, viral / raw data channel", median(&ours) / median(&raw), "x", Target::AtLeast(0.7));
    table.add("goodput, viral / WebTorrent 3", median(&ours) / median(&theirs), "x", Target::AtLeast(3.0));
    Ok(())
}

/// What came of a visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetched {
    /// Megabytes per second of the asset that peers gave: what the origin gave in their place counts for nothing.
    pub(crate) rate: f64,
    /// Whether the origin gave more than a tenth.
    pub(crate) is_hedged: bool,
}

/// The rates of these visits; how many of them were hedged is a row of its own.
pub(crate) fn rates(visits: &[Fetched], table: &Table) -> Vec<f64> {
    let hedged = visits.iter().filter(|visit| visit.is_hedged).count();
    table.add(&format!("visits of these {} in which the origin gave more than a tenth", visits.len()), hedged as f64, "", Target::None);
    visits.iter().map(|visit| visit.rate).collect()
}

/// The asset in a visit of somebody new, who is left with the rivals at hand.
pub(crate) async fn fresh_visit(server: &Server, leecher: &Visitor) -> anyhow::Result<Fetched> {
    forget(leecher, &server.url("")).await;
    server.until_seeders(1).await;
    leecher.open(&server.url("/")).await;
    leecher.until_app_runs().await;
    let fetched = viral(leecher).await?;
    leecher.run_async("window.rivals = await import('/rivals.js')").await;
    Ok(fetched)
}

/// From the page's own `fetch` to its last byte.
async fn viral(leecher: &Visitor) -> anyhow::Result<Fetched> {
    let before = leecher.status().await;
    let took = leecher
        .run_async("const start = performance.now(); const body = await (await fetch('/big.bin')).arrayBuffer(); return [performance.now() - start, body.byteLength]")
        .await;
    anyhow::ensure!(took[1] == LEN, "{took}");
    let after = leecher
        .until_status("the bytes are counted", |status| {
            status.bytes_from_peers + status.bytes_from_origin - before.bytes_from_peers - before.bytes_from_origin >= LEN as u64 * 9 / 10
        })
        .await;
    let (peers, origin) = (after.bytes_from_peers - before.bytes_from_peers, after.bytes_from_origin - before.bytes_from_origin);
    let share = peers as f64 / (peers + origin) as f64;
    Ok(Fetched { rate: share * rate(took[0].as_f64().unwrap_or(f64::NAN)), is_hedged: share < 0.9 })
}

/// Milliseconds from the first request byte to the last byte on a plain data channel between the same two pages.
async fn raw_channel(seeder: &Visitor, leecher: &Visitor) -> f64 {
    let quoted = |value: &Value| value.to_string();
    let offer = leecher.run_async(&format!("return window.rivals.rawOffer({LEN})")).await;
    let answer = seeder.run_async(&format!("return window.rivals.rawAnswer({}, {LEN})", quoted(&offer))).await;
    leecher.run_async(&format!("return window.rivals.rawRun({})", quoted(&answer))).await.as_f64().unwrap_or(f64::NAN)
}

pub(crate) fn rate(took_ms: f64) -> f64 {
    LEN as f64 / 1e6 / (took_ms / 1e3)
}
