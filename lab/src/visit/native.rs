//! A visit by the native peer, `viral get`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{FAREWELL, PATIENCE, Stage, VisitResult};
use crate::process::{Process, command};
use crate::scenario::Visitor;
use crate::server::viral_binary;
use crate::topology::origin_address;

/// Takes the app and stays to serve others. `report` is called once, as soon as the outcome is known.
pub fn visit(stage: &Stage, index: usize, visitor: &Visitor, report: impl FnOnce(VisitResult)) {
    stage.wait_until(stage.arrival(visitor));
    let mut visit = stage.visit(index, visitor);
    let stay_s = visitor.stays_s.unwrap_or(stage.stay_s).ceil();
    let Ok(mut process) = start(stage, index, stay_s) else {
        report(visit);
        return;
    };
    // The account may come when the app is there or only after the stay; when the app was there it says itself.
    let deadline = stage.limit + Duration::from_secs_f64(stay_s);
    if let Some(got) = stage.line_of(&process, deadline, |line| serde_json::from_str::<super::Got>(line).ok()) {
        let done_s = visit.arrived_s + got.ms_total as f64 / 1e3;
        visit.done_s = (got.ok && stage.begins + Duration::from_secs_f64(done_s) <= stage.limit).then_some(done_s);
        visit.got = got;
    }
    report(visit);
    let mut has_ended = false;
    while !has_ended && !stage.is_over.load(Relaxed) {
        has_ended = process.has_ended(Instant::now() + PATIENCE);
    }
    process.signal(Signal::TERM);
    process.has_ended(Instant::now() + FAREWELL);
}

/// Starts the peer of visitor `index`, which stays for `stay_s` seconds once it has the app.
pub(super) fn start(stage: &Stage, index: usize, stay_s: f64) -> anyhow::Result<Process> {
    let copy = stage.folder.join(format!("visitor-{index}"));
    let log = stage.folder.join(format!("visitor-{index}.log"));
    Process::start(&mut get(stage, (index < stage.checked).then_some(&copy), stay_s), "viral get", &log)
}

fn get(stage: &Stage, copy: Option<&PathBuf>, stay_s: f64) -> Command {
    let mut get = command(viral_binary());
    get.arg("get").arg(format!("http://{}/", origin_address().ip())).args(["--json", "--stay", &stay_s.to_string()]);
    if let Some(copy) = copy {
        get.arg("-o").arg(copy);
    }
    get.env("TMPDIR", &stage.folder).env("HOME", &stage.folder).current_dir(&stage.folder);
    get
}
