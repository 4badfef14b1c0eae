//! A comparison as people and programs read it.

mod html;
mod text;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use serde::Serialize;

use crate::plan::Plan;
use crate::population;
use crate::scenario::Scenario;
use crate::summary::Summary;
use crate::visitor::Sabotage;
use crate::world::{RunError, RunOutcome, RunProgress, run};

pub use html::page;
pub use text::table;

/// A population with viral, and the same with plain answers only.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Comparison {
    /// What the scenario says of itself.
    pub about: String,
    /// Bytes of the app.
    pub app_bytes: u64,
    /// As shipped.
    pub viral: Summary,
    /// Everybody from the origin.
    pub plain: Summary,
}

/// The plots of a comparison.
#[derive(Debug, Clone)]
pub struct Runs {
    /// As shipped.
    pub viral: RunOutcome,
    /// Everybody from the origin.
    pub plain: RunOutcome,
}

/// Runs a scenario with this seed twice, side by side: as shipped, and with plain answers only. `watch` hears of both, one after the other.
///
/// # Errors
/// See [`RunError`].
pub fn compare(scenario: &Scenario, seed: u64, watch: &mut dyn FnMut(&str, RunProgress) -> bool) -> Result<(Comparison, Runs), RunError> {
    let plan = patient(population::plan(scenario, seed));
    let without = Plan { is_plain: true, ..plan.clone() };
    let (viral, plain) = both(&plan, &without, watch)?;
    let comparison = Comparison {
        about: scenario.about.clone(),
        app_bytes: plan.app.bytes,
        viral: Summary::of(&plan, &viral),
        plain: Summary::of(&without, &plain),
    };
    Ok((comparison, Runs { viral, plain }))
}

/// Both runs of a comparison. Neither knows of the other, so that a thread of its own for the second changes nothing but the time that they take.
fn both(plan: &Plan, without: &Plan, watch: &mut dyn FnMut(&str, RunProgress) -> bool) -> Result<(RunOutcome, RunOutcome), RunError> {
    let is_stopped = &AtomicBool::new(false);
    // Whoever watches hears of one run at a time: what the second says meanwhile is dropped.
    let (tell, told) = sync_channel(1);
    let mut go_on = move |progress| {
        let _ = tell.try_send(progress);
        !is_stopped.load(Ordering::Relaxed)
    };
    thread::scope(|scope| {
        // Takes its end of the channel with it.
        let plain = scope.spawn(move || run(without, Sabotage::None, &mut go_on));
        let viral = run(plan, Sabotage::None, &mut |progress| watch("with viral", progress));
        is_stopped.store(viral.is_err(), Ordering::Relaxed);
        // Until the other run is over.
        for progress in told {
            if viral.is_ok() && !watch("without viral", progress) {
                is_stopped.store(true, Ordering::Relaxed);
            }
        }
        let plain = plain.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((viral?, plain?))
    })
}

/// With time for an origin alone to serve everybody: a run ends anyway once everybody has the app.
fn patient(plan: Plan) -> Plan {
    let alone = crate::clock::of_seconds(population::fluid_bound(&plan).server_alone_s().min(8.0 * 86_400.0));
    Plan { limit: plan.limit + 2 * alone, ..plan }
}
