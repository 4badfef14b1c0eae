//! A visit by the scripts that the server sends to browsers, run by node with a WebRTC stack of its own (`lab/engine`).

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{FAREWELL, Got, PATIENCE, Stage, VisitResult};
use crate::process::{Process, command};
use crate::scenario::Visitor;
use crate::topology::{Topology, origin_address};

/// What such visitors are called in a result.
pub const NAME: &str = "node";

/// Longest time until one is ready: a hundred of them start together.
const READY: Duration = Duration::from_secs(120);

/// Where its packages and its program are.
const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/engine");

/// The WebRTC stack, which is there once npm has installed it.
#[must_use]
pub fn package() -> PathBuf {
    Path::new(ENGINE).join("node_modules/node-datachannel/package.json")
}

/// Starts the program of visitor `index` in its namespace; it waits for [`visit`]. `is_checked`: it writes what it got.
///
/// # Errors
/// When node cannot be started.
pub fn start(topology: &Topology, (index, visitor): (usize, &Visitor), is_checked: bool) -> anyhow::Result<Process> {
    let folder = topology.folder.clone();
    let starting = topology.namespaces[visitor.endpoint].run(move || {
        let mut member = command("node");
        member.arg("member.js").arg(origin_address().ip().to_string()).arg(origin_address().port().to_string()).current_dir(ENGINE);
        if is_checked {
            member.arg(folder.join(format!("visitor-{index}")));
        }
        Process::start(&mut member, "member.js", &folder.join(format!("visitor-{index}.log")))
    });
    starting.wait()?
}

/// Waits until one is ready for its visit.
///
/// # Errors
/// When it does not get ready.
pub fn await_ready(process: &Process) -> anyhow::Result<()> {
    process.expect_line("ready", READY).map(drop)
}

/// Takes the app and stays to serve others. `report` is called once, as soon as the outcome is known.
pub fn visit(mut process: Process, stage: &Stage, (index, visitor): (usize, &Visitor), report: impl FnOnce(VisitResult)) {
    stage.wait_until(stage.arrival(visitor));
    let mut visit = stage.visit(index, visitor);
    visit.browser = Some(NAME.to_owned());
    process.signal(Signal::USR2);
    if let Some(got) = stage.line_of(&process, stage.limit, |line| serde_json::from_str::<Got>(line).ok()) {
        let done_s = visit.arrived_s + got.ms_total as f64 / 1e3;
        visit.done_s = (got.ok && stage.begins + Duration::from_secs_f64(done_s) <= stage.limit).then_some(done_s);
        visit.got = got;
    }
    report(visit);
    while !stage.is_over.load(Relaxed) {
        std::thread::sleep(PATIENCE);
    }
    process.signal(Signal::TERM);
    process.has_ended(Instant::now() + FAREWELL);
}
