//! The simulator beside the lab's figures: `cargo run --release -p viral-sim --example beside_the_lab`. With names: only those scenarios.
//! With `--time` and a name: how long one run of it takes.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::time::Instant;

use viral_sim::builtin::builtin;
use viral_sim::plan::{Plan, Role};
use viral_sim::population::plan;
use viral_sim::scenario::Scenario;
use viral_sim::summary::Summary;
use viral_sim::visitor::Sabotage;
use viral_sim::world::run;

/// Runs of each scenario.
const RUNS: u64 = 5;

/// One figure: of a summary, and of the same visitors from the origin alone and all honest.
type Figure = fn(&Runs) -> Option<f64>;

struct Runs {
    viral: Summary,
    other: Option<Summary>,
    app_bytes: f64,
}

enum Other {
    None,
    Plain,
    Honest,
}

/// Scenario, what to run beside it, and per figure what the lab measured (docs/LAB.md).
type Row = (&'static str, Other, &'static [(&'static str, f64, Figure)]);

const ROWS: &[Row] = &[
    ("crowd-12", Other::None, &[("last / bound", 1.25, last), ("median / bound", 1.23, median), ("origin copies", 1.01, copies)]),
    ("crowd-40", Other::None, &[("last / bound", 1.36, last), ("median / bound", 1.34, median)]),
    ("crowd", Other::None, &[("last / bound", 1.42, last), ("median / bound", 1.38, median), ("origin copies", 1.02, copies)]),
    ("office", Other::Plain, &[("p95, s", 3.0, p95), ("p95 from the origin, s", 58.7, p95_other), ("copies over the line", 1.10, line)]),
    ("trickle", Other::None, &[("offload / bound", 0.859, offload)]),
    ("hostile", Other::Honest, &[("p99, s", 44.3, p99), ("p99 / all honest", 1.49, p99_ratio)]),
    ("lone", Other::Plain, &[("time to app, s", 2.92, p95), ("beside nginx", 1.02, p95_ratio)]),
];

/// 1 - exp(-lambda p D) of the trickle: 0.1/s, 0.78, 54 s.
const OFFLOAD_BOUND: f64 = 0.985_2;

fn last(runs: &Runs) -> Option<f64> {
    Some(runs.viral.last_s? / runs.viral.bound_s?)
}

fn median(runs: &Runs) -> Option<f64> {
    Some(runs.viral.median_s? / runs.viral.bound_s?)
}

fn copies(runs: &Runs) -> Option<f64> {
    Some(runs.viral.origin_app_bytes as f64 / runs.app_bytes)
}

fn line(runs: &Runs) -> Option<f64> {
    Some(runs.viral.office_line_bytes as f64 / runs.app_bytes)
}

fn offload(runs: &Runs) -> Option<f64> {
    Some(runs.viral.offload / OFFLOAD_BOUND)
}

fn p95(runs: &Runs) -> Option<f64> {
    runs.viral.time_p95_s
}

fn p99(runs: &Runs) -> Option<f64> {
    runs.viral.time_p99_s
}

fn p95_other(runs: &Runs) -> Option<f64> {
    runs.other.as_ref()?.time_p95_s
}

fn p95_ratio(runs: &Runs) -> Option<f64> {
    Some(runs.viral.time_p95_s? / runs.other.as_ref()?.time_p95_s?)
}

fn p99_ratio(runs: &Runs) -> Option<f64> {
    Some(runs.viral.time_p99_s? / runs.other.as_ref()?.time_p99_s?)
}

fn drawn(name: &str, seed: u64) -> Plan {
    let builtin = builtin(name).expect("a scenario of `viral simulate --list`");
    plan(&Scenario::parse(builtin.text).expect("as it comes with the program"), seed)
}

fn summary(plan: &Plan) -> Summary {
    Summary::of(plan, &run(plan, Sabotage::None, &mut |_| true).expect("a run in which every invariant holds"))
}

fn runs(name: &str, other: &Other, seed: u64) -> Runs {
    let plan = drawn(name, seed);
    let changed = match other {
        Other::None => None,
        Other::Plain => Some(Plan { is_plain: true, limit: 10 * plan.limit, ..plan.clone() }),
        Other::Honest => {
            let mut honest = plan.clone();
            for (visitor, end) in honest.visitors.iter_mut().zip(&mut honest.network.endpoints[1..]) {
                if visitor.role == Role::Slow {
                    end.up = viral_netsim::link::LinkShape { rate_bps: end.down.rate_bps / 2, ..end.down };
                }
                visitor.role = Role::Honest;
            }
            Some(honest)
        }
    };
    Runs { viral: summary(&plan), other: changed.as_ref().map(summary), app_bytes: plan.app.bytes as f64 }
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    if let [time, name] = &only[..]
        && time == "--time"
    {
        let (plan, begun) = (drawn(name, 1), Instant::now());
        let summary = summary(&plan);
        let figures = (summary.finished, summary.counted, summary.steps);
        return println!("{name}: {:.1} s, {figures:?} finished, counted, steps", begun.elapsed().as_secs_f64());
    }
    println!("| scenario | figure | lab | simulator | beside the lab |\n|---|---|---:|---:|---:|");
    for (name, other, figures) in ROWS.iter().filter(|(name, ..)| only.is_empty() || only.iter().any(|one| one == name)) {
        let all: Vec<Runs> = (1..=RUNS).map(|seed| runs(name, other, seed)).collect();
        for (what, lab, figure) in *figures {
            let mut values: Vec<f64> = all.iter().map(|runs| figure(runs).unwrap_or(f64::INFINITY)).collect();
            values.sort_by(f64::total_cmp);
            let value = values[values.len() / 2];
            println!(
                "| `{name}` | {what} | {lab} | {value:.2} ({:.2} to {:.2}) | {:+.0} % |",
                values[0],
                values[values.len() - 1],
                100.0 * (value / lab - 1.0)
            );
        }
    }
}
