//! Visits by those who do not mean well, or do not do well.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Deserialize;

use super::{FAREWELL, Stage, VisitResult, native};
use crate::process::{Line, Process, command};
use crate::scenario::{Role, Visitor};
use crate::server::rogue_binary;
use crate::topology::origin_address;

/// After this much of its life a dead or silent peer stops: late enough that others count on it.
const STOPS_AFTER: Duration = Duration::from_secs(6);

/// What a forger says of itself at its end.
#[derive(Deserialize)]
struct Forged {
    forged_bytes: u64,
}

/// The product, which is killed or stopped where it stands after a while.
pub fn fail(stage: &Stage, index: usize, visitor: &Visitor, report: impl FnOnce(VisitResult)) {
    stage.wait_until(stage.arrival(visitor));
    let arrived = Instant::now();
    report(stage.visit(index, visitor));
    let Ok(process) = native::start(stage, index, stage.stay_s.ceil()) else { return };
    stage.wait_until(arrived + STOPS_AFTER);
    process.signal(if visitor.role == Role::Dead { Signal::KILL } else { Signal::STOP });
    stage.wait_for_end();
}

/// A peer that says it has everything and sends forged bytes to whoever asks. How many it sent.
pub fn forge(stage: &Stage, index: usize, visitor: &Visitor, report: impl FnOnce(VisitResult)) -> anyhow::Result<u64> {
    stage.wait_until(stage.arrival(visitor));
    report(stage.visit(index, visitor));
    let mut rogue = command(rogue_binary());
    rogue.arg(format!("http://{}/", origin_address().ip()));
    let process = Process::start(&mut rogue, "viral-rogue", &stage.folder.join(format!("visitor-{index}.log")))?;
    stage.wait_for_end();
    process.signal(Signal::TERM);
    match process.line(Instant::now() + FAREWELL) {
        Line::Said(line) => Ok(serde_json::from_str::<Forged>(&line)?.forged_bytes),
        Line::Nothing | Line::Ended => anyhow::bail!("forger {index} ended without an account of what it sent; see its log"),
    }
}
