//! `viral simulate`: what a crowd would do to a server, with viral and without, before anybody comes.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use viral_sim::builtin::{BUILTINS, builtin};
use viral_sim::population;
use viral_sim::report::{Comparison, Runs, compare, page, table};
use viral_sim::scenario::Scenario;
use viral_sim::shrink::shrink;
use viral_sim::visitor::Sabotage;
use viral_sim::world::{RunError, RunProgress};

use crate::run::say;

/// Largest scenario file, in bytes: a thousand tables.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Runs at most: what a night has time for.
const RUNS_MAX: u64 = 1_000;

/// A run that takes longer than this says how far it is, and then so often.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What `simulate` takes.
#[derive(Args, Debug)]
pub(crate) struct SimulateArgs {
    /// A scenario file, or the name of one that comes with the program
    #[arg(value_name = "SCENARIO", required_unless_present = "list")]
    scenario: Option<String>,
    /// List the scenarios that come with the program
    #[arg(long)]
    list: bool,
    /// Print the scenario instead of running it, to be saved and changed
    #[arg(long, conflicts_with_all = ["list", "json"])]
    print: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
    /// Seed of all dice; the scenario's own where nobody says
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Runs with seeds that follow each other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=RUNS_MAX))]
    runs: u64,
    /// Write a page with plots of the first run
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Simulates.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    if args.list {
        return list();
    }
    let name = args.scenario.as_deref().unwrap_or_default();
    let text = text_of(name)?;
    if args.print {
        return say(&text);
    }
    let scenario = Scenario::parse(&text).with_context(|| name.to_owned())?;
    let seed = args.seed.unwrap_or(scenario.seed);
    let mut comparisons = Vec::new();
    for number in 0..args.runs {
        let (comparison, runs) = one(&scenario, seed.wrapping_add(number))?;
        if let Some(file) = args.html.as_ref().filter(|_| number == 0) {
            write_page(file, &comparison, &runs)?;
        }
        comparisons.push(comparison);
    }
    if args.json {
        return say(&format!("{}\n", json!({ "scenario": name, "runs": comparisons })));
    }
    say(&said(comparisons))
}

fn list() -> anyhow::Result<()> {
    let mut text = String::new();
    for builtin in BUILTINS {
        let about = Scenario::parse(builtin.text).map(|scenario| scenario.about).unwrap_or_default();
        text.push_str(&format!("{:<14}{about}\n", builtin.name));
    }
    say(&text)
}

/// The file of this name, or else the scenario that comes with the program.
fn text_of(name: &str) -> anyhow::Result<String> {
    let file = Path::new(name);
    if let (false, Some(builtin)) = (file.exists(), builtin(name)) {
        return Ok(builtin.text.to_owned());
    }
    let len =
        std::fs::metadata(file).with_context(|| format!("no scenario `{name}`: neither a file nor one of `viral simulate --list`"))?.len();
    if len > FILE_LEN_MAX {
        bail!("{name} has {len} bytes; a scenario has {FILE_LEN_MAX} at most");
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))
}

fn one(scenario: &Scenario, seed: u64) -> anyhow::Result<(Comparison, Runs)> {
    let (is_terminal, begun) = (stderr().is_terminal(), Instant::now());
    let (mut told_at, mut has_told) = (begun, false);
    let mut watch = |what: &str, progress: RunProgress| {
        if told_at.elapsed() >= TELL_EVERY {
            (told_at, has_told) = (Instant::now(), true);
            let RunProgress { now, arrived, visitors, .. } = progress;
            let (start, end) = if is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
            // If stderr is closed nobody wants to know.
            let _ =
                write!(stderr(), "{start}viral: {what}: {arrived} of {visitors} visitors came, {:.0} s simulated{end}", now as f64 / 1e9);
        }
        true
    };
    let done = compare(scenario, seed, &mut watch);
    if has_told && is_terminal {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    done.map_err(|error| match error {
        RunError::Broken(_) => anyhow::anyhow!("{}", shrink(&population::plan(scenario, seed), Sabotage::None, error)),
        RunError::App(_) | RunError::Stopped => error.into(),
    })
}

fn write_page(file: &Path, comparison: &Comparison, runs: &Runs) -> anyhow::Result<()> {
    std::fs::write(file, page(comparison, runs)).with_context(|| format!("cannot write {}", file.display()))
}

/// The run in the middle, by how late the slowest are, and how far the others are from it.
fn said(mut comparisons: Vec<Comparison>) -> String {
    let late = |comparison: &Comparison| comparison.viral.time_p95_s.unwrap_or(f64::INFINITY);
    comparisons.sort_by(|one, other| late(one).total_cmp(&late(other)));
    let Some(middle) = comparisons.get(comparisons.len() / 2) else { return String::new() };
    let mut text = table(middle);
    if let (Some(first), Some(last), true) = (comparisons.first(), comparisons.last(), comparisons.len() > 1) {
        let (low, high) = (late(first), late(last));
        text.push_str(&format!("The run in the middle of {}; 95 of 100 have the app after {low:.1} to {high:.1} s.\n", comparisons.len()));
    }
    text
}
