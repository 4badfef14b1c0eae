//! Benches: measured on this machine, both sides of each comparison in the same minute.

use clap::Subcommand;

use crate::shell::{self, cargo, target_dir};
use crate::steps::Steps;
use crate::{journeys, rust, tools};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The whole path in real browsers: sizes, connection, goodput, the lone visitor beside nginx.
    Path {
        /// Runs of each side; the median is printed.
        #[arg(long, default_value_t = 10)]
        runs: u32,
    },
    /// The native peer: goodput beside bare str0m, memory of a peer.
    Native,
}

pub(crate) fn run(steps: &mut Steps, what: &Bench) -> anyhow::Result<()> {
    let runs = match what {
        Bench::Path { runs } => runs,
        Bench::Native => return steps.run("bench native", native),
    };
    steps.run("build viral (release)", rust::build_viral_release)?;
    steps.run("geckodriver", tools::ensure_geckodriver)?;
    steps.run("real apps from npm", journeys::install_apps)?;
    steps.run("rivals from npm", journeys::install_rivals)?;
    steps.run("bench path", || path(*runs))
}

fn native() -> anyhow::Result<()> {
    shell::run(cargo().args(["run", "--quiet", "--release", "--package", "viral-peer", "--example", "goodput"]))
}

fn path(runs: u32) -> anyhow::Result<()> {
    let mut bench = cargo();
    bench
        .args(["run", "--quiet", "--package", "viral-journeys", "--features", "browsers"])
        .args(["--bin", "bench-path", "--", "--runs", &runs.to_string()])
        .env("GECKODRIVER", tools::geckodriver());
    if std::env::var_os("VIRAL_BIN").is_none() {
        bench.env("VIRAL_BIN", target_dir().join("release/viral"));
    }
    shell::run(&mut bench)
}
