//! One visitor's visit, from its arrival until it leaves; runs on the thread of its namespace.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::client;
use crate::process::{Line, Process, command};
use crate::scenario::{Role, Visitor};
use crate::server::viral_binary;
use crate::site::Site;
use crate::world::origin_address;

/// After this much of its life a dead or silent peer stops: late enough that others count on it.
const HOSTILE_AFTER: Duration = Duration::from_secs(6);

/// How often a waiting thread looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a leaving visitor may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// The line that `viral get --json` prints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Got {
    /// Everything arrived and was verified.
    pub ok: bool,
    /// Full, thin or plain; `None` when there was none.
    pub answer: Option<String>,
    /// Bytes of the app taken from peers.
    pub bytes_from_peers: u64,
    /// Bytes of the app taken from the origin.
    pub bytes_from_origin: u64,
    /// How many peers gave something.
    pub peers_used: u64,
    /// Pieces verified.
    pub pieces: u64,
    /// Peers banned for forging.
    pub bans: u64,
    /// From start to the whole app, in milliseconds.
    pub ms_total: u64,
    /// From start to the first piece, in milliseconds.
    pub ms_first_piece: Option<u64>,
    /// Why there is no app.
    pub error: Option<String>,
}

/// What became of one visitor.
#[derive(Debug, Clone, Serialize)]
pub struct Visit {
    /// Which one, by its place in the plan.
    pub visitor: usize,
    /// Whether it counts: hostile visitors do not.
    pub is_honest: bool,
    /// Seconds after the beginning when it came.
    pub arrived_s: f64,
    /// Seconds after the beginning when it had the whole app; `None` when it never had.
    pub done_s: Option<f64>,
    /// What it reported.
    pub got: Got,
    /// Assets on its disk that differ from the origin's; `None` when nobody looked.
    pub different: Option<usize>,
}

/// What every visit of a run has in common.
pub struct Stage {
    /// The first arrival.
    pub begins: Instant,
    /// When whoever is not done has failed.
    pub limit: Instant,
    /// Set when the run is over.
    pub is_over: AtomicBool,
    /// The app.
    pub site: Site,
    /// Where visitors may write.
    pub folder: PathBuf,
    /// Seconds for which visitors stay and serve once they have the app, where they do not leave sooner.
    pub stay_s: f64,
    /// How many of them write what they got, to be compared with the origin.
    pub checked: usize,
}

/// A visit by the native peer. `report` is called once, as soon as its outcome is known; the visitor stays and serves others.
pub fn native(stage: &Arc<Stage>, index: usize, visitor: &Visitor, report: impl FnOnce(Visit)) {
    wait_until(stage, stage.begins + Duration::from_secs_f64(visitor.arrives_s));
    let arrived = Instant::now();
    let stay_s = visitor.stays_s.unwrap_or(stage.stay_s).ceil();
    let copy = stage.folder.join(format!("visitor-{index}"));
    let log = stage.folder.join(format!("visitor-{index}.log"));
    let mut visit = Visit {
        visitor: index,
        is_honest: visitor.role == Role::Honest,
        arrived_s: (arrived - stage.begins).as_secs_f64(),
        done_s: None,
        got: Got::default(),
        different: None,
    };
    let mut get = get_command(stage, (index < stage.checked).then_some(&copy), stay_s);
    let Ok(mut process) = Process::start(&mut get, "viral get", &log) else {
        report(visit);
        return;
    };
    if matches!(visitor.role, Role::Dead | Role::Silent) {
        report(visit);
        wait_until(stage, arrived + HOSTILE_AFTER);
        let signal = if visitor.role == Role::Dead { Signal::KILL } else { Signal::STOP };
        process.signal(signal);
        wait_for_end(stage);
        return;
    }
    // The account may come when the app is there or only after the stay; when the app was there it says itself.
    if let Some(got) = outcome(stage, &process, stage.limit + Duration::from_secs_f64(stay_s)) {
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

/// A visit by the plain client, which takes everything from the origin and leaves.
pub fn plain(stage: &Arc<Stage>, index: usize, visitor: &Visitor, report: impl FnOnce(Visit)) {
    wait_until(stage, stage.begins + Duration::from_secs_f64(visitor.arrives_s));
    let arrived_s = stage.begins.elapsed().as_secs_f64();
    let fetched = client::visit(origin_address(), "/", &stage.site.assets);
    let (bytes, ms_total) = fetched.as_ref().map_or((0, 0), |fetched| (fetched.bytes, fetched.took.as_millis()));
    let got = Got {
        ok: fetched.is_ok(),
        answer: Some("plain".to_owned()),
        bytes_from_origin: bytes,
        ms_total: u64::try_from(ms_total).unwrap_or(u64::MAX),
        ..Got::default()
    };
    let done_s = fetched.is_ok().then(|| stage.begins.elapsed().as_secs_f64());
    report(Visit { visitor: index, is_honest: true, arrived_s, done_s, got, different: None });
}

fn get_command(stage: &Stage, copy: Option<&PathBuf>, stay_s: f64) -> std::process::Command {
    let mut get = command(viral_binary());
    get.arg("get").arg(format!("http://{}/", origin_address().ip())).args(["--json", "--stay", &stay_s.to_string()]);
    if let Some(copy) = copy {
        get.arg("-o").arg(copy);
    }
    get.env("TMPDIR", &stage.folder).env("HOME", &stage.folder).current_dir(&stage.folder);
    get
}

/// The visitor's own account.
fn outcome(stage: &Stage, process: &Process, deadline: Instant) -> Option<Got> {
    while !stage.is_over.load(Relaxed) && Instant::now() < deadline {
        match process.line(Instant::now() + PATIENCE) {
            Line::Said(line) => {
                if let Ok(got) = serde_json::from_str(&line) {
                    return Some(got);
                }
            }
            Line::Nothing => {}
            Line::Ended => return None,
        }
    }
    None
}

fn wait_until(stage: &Stage, then: Instant) {
    // In steps, so that a run that is over is left at once.
    while !stage.is_over.load(Relaxed) {
        let left = then.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(PATIENCE));
    }
}

fn wait_for_end(stage: &Stage) {
    while !stage.is_over.load(Relaxed) {
        std::thread::sleep(PATIENCE);
    }
}
