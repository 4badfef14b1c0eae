//! The rival in the same network: WebTorrent in node, over WebRTC; its tracker and first seeder are at the origin.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use serde::Deserialize;

use super::{FAREWELL, Got, Stage, VisitResult};
use crate::process::{Line, Process, command};
use crate::scenario::{ORIGIN_ADDRESS, Visitor};
use crate::server::{OriginBytes, Stats};
use crate::site::Site;
use crate::topology::Topology;

/// Longest time until a process of the rival is ready: node starts in a second where nothing else does.
const READY: Duration = Duration::from_secs(60);

/// Where its packages and its script are.
const RIVALS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/journeys/rivals");

/// What the script prints at its end.
#[derive(Deserialize)]
struct Uploaded {
    uploaded: u64,
}

/// The package itself, which is there once npm has installed it.
#[must_use]
pub fn package() -> PathBuf {
    Path::new(RIVALS).join("node_modules/webtorrent/package.json")
}

/// Starts the tracker and the first seeder in the origin's namespace.
///
/// # Errors
/// When they do not get ready.
pub fn start_seeder(topology: &Topology, site: &Site) -> anyhow::Result<Process> {
    let mut seed = script();
    seed.args(["seed", &ORIGIN_ADDRESS.to_string()]).arg(&site.folder).arg(torrent_file(&topology.folder));
    let log = topology.folder.join("webtorrent-seed.log");
    let process = topology.origin().run(move || Process::start(&mut seed, "webtorrent seed", &log)).wait()??;
    process.expect_line("ready", READY)?;
    Ok(process)
}

/// What the seeder sent, as if it were viral's; only once, it ends with that.
///
/// # Errors
/// When it does not say.
pub fn end_seeder(seeder: &Process) -> anyhow::Result<Stats> {
    seeder.signal(Signal::TERM);
    let Line::Said(line) = seeder.line(Instant::now() + FAREWELL) else {
        bail!("the seeder of WebTorrent ended without a word; see its log")
    };
    let Uploaded { uploaded } = serde_json::from_str(&line).context("the seeder of WebTorrent")?;
    Ok(Stats { origin_bytes: OriginBytes { pieces: uploaded, ..OriginBytes::default() }, ..Stats::default() })
}

/// Starts the peer of a visitor in its namespace; it waits for [`visit`].
///
/// # Errors
/// When node cannot be started.
pub fn start(topology: &Topology, visitor: &Visitor) -> anyhow::Result<Process> {
    let (folder, endpoint) = (topology.folder.clone(), visitor.endpoint);
    let starting = topology.namespaces[endpoint].run(move || {
        let mut get = script();
        get.arg("get").arg(torrent_file(&folder)).arg(folder.join(format!("torrent-{endpoint}")));
        Process::start(&mut get, "webtorrent get", &folder.join(format!("webtorrent-{endpoint}.log")))
    });
    starting.wait()?
}

/// Waits until a peer is ready for its visit.
///
/// # Errors
/// When it does not get ready.
pub fn await_ready(process: &Process) -> anyhow::Result<()> {
    process.expect_line("ready", READY).map(drop)
}

/// Takes the app and stays. `report` is called once, as soon as the outcome is known.
pub fn visit(process: &Process, stage: &Stage, (index, visitor): (usize, &Visitor), report: impl FnOnce(VisitResult)) {
    stage.wait_until(stage.arrival(visitor));
    let mut visit = stage.visit(index, visitor);
    process.signal(Signal::USR2);
    let done_s = stage.line_of(process, stage.limit, |line| (line == "done").then(|| stage.begins.elapsed().as_secs_f64()));
    if let Some(done_s) = done_s {
        visit.got = Got { ok: true, ms_total: ((done_s - visit.arrived_s) * 1e3) as u64, ..Got::default() };
        visit.done_s = Some(done_s);
    }
    report(visit);
    stage.wait_for_end();
}

fn script() -> std::process::Command {
    let mut node = command("node");
    node.arg("crowd.mjs").current_dir(RIVALS);
    node
}

fn torrent_file(folder: &Path) -> PathBuf {
    folder.join("app.torrent")
}
