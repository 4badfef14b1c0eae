//! Benches: measured on this machine, both sides of each comparison in the same minute.

use std::ffi::OsString;
use std::process::Command;

use clap::{Args, Subcommand};

use crate::shell::{self, cargo, target_dir};
use crate::steps::Steps;
use crate::tools::Tool;
use crate::{journeys, release, tools};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The whole path in real browsers: sizes, connection, goodput, the lone visitor beside nginx.
    Path {
        /// Runs of each side; the median is printed.
        #[arg(long, default_value_t = 10)]
        runs: u32,
    },
    /// Real apps with default flags, beside nginx: one table for each app and engine.
    Apps(Apps),
    /// The native peer: goodput beside bare str0m, memory of a peer.
    Native,
    /// One decision of a visit, by how many sessions there are.
    Admit,
    /// Requests that a CPU-second of the server answers, beside nginx: small assets over keep-alive, no browser.
    Http {
        /// Rounds of each side; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Only rows whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
}

impl Bench {
    /// The programs it starts.
    pub(crate) fn tools(&self) -> &'static [&'static [Tool]] {
        match self {
            Self::Path { .. } | Self::Apps(_) => &[tools::NPM, tools::JOURNEYS, tools::BENCH],
            Self::Native | Self::Admit => &[],
            Self::Http { .. } => &[tools::BENCH_HTTP],
        }
    }
}

/// What is handed on to the bench of apps.
#[derive(Debug, Args)]
pub(crate) struct Apps {
    /// Runs of each side; medians are printed.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// `chromium` (without a choice) or `firefox`; may be given twice.
    #[arg(long)]
    engine: Vec<String>,
    /// `pyodide`, `monaco`, `duckdb` or `onnx`; each without a choice.
    #[arg(long)]
    app: Vec<String>,
    /// `chain` (nginx, lone visitor, chain of five, who returns), `slow` (busy line) or `bad` (bad seeders), `large` (one large file); each without a choice.
    #[arg(long)]
    only: Vec<String>,
    /// Print one JSON object for each app and engine in place of its table.
    #[arg(long)]
    json: bool,
}

impl Apps {
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--runs".into(), self.runs.to_string().into()];
        for (name, values) in [("--engine", &self.engine), ("--app", &self.app), ("--only", &self.only)] {
            words.extend(values.iter().flat_map(|value| [name.into(), value.into()]));
        }
        if self.json {
            words.push("--json".into());
        }
        words
    }
}

pub(crate) fn run(steps: &mut Steps, what: &Bench) -> anyhow::Result<()> {
    if let Bench::Native = what {
        return steps.run("bench native", || example("viral-peer", "goodput"));
    }
    if let Bench::Admit = what {
        return steps.run("bench admit", || example("viral-swarm", "admit"));
    }
    steps.run("build viral (release)", release::build)?;
    if let Bench::Http { rounds, only } = what {
        let mut words: Vec<OsString> = vec!["--rounds".into(), rounds.to_string().into()];
        words.extend(only.iter().flat_map(|name| ["--only".into(), name.into()]));
        return steps.run("bench http", || shell::run(bench("bench-http", &words).env("TOKIO_WORKER_THREADS", "1")));
    }
    steps.run("geckodriver", tools::ensure_geckodriver)?;
    steps.run("real apps from npm", journeys::install_apps)?;
    match what {
        Bench::Path { runs } => {
            steps.run("rivals from npm", journeys::install_rivals)?;
            steps.run("bench path", || in_browsers("bench-path", &["--runs".into(), runs.to_string().into()]))
        }
        Bench::Apps(apps) => steps.run("bench apps", || in_browsers("bench-apps", &apps.words())),
        Bench::Native | Bench::Admit | Bench::Http { .. } => Ok(()),
    }
}

fn example(package: &str, name: &str) -> anyhow::Result<()> {
    shell::run(cargo().args(["run", "--quiet", "--release", "--package", package, "--example", name]))
}

/// Runs one of the benches of `crates/journeys` that need browsers.
fn in_browsers(name: &str, words: &[OsString]) -> anyhow::Result<()> {
    shell::run(bench(name, words).env("GECKODRIVER", tools::geckodriver()))
}

/// One of the benches of `crates/journeys`, on the release build.
fn bench(name: &str, words: &[OsString]) -> Command {
    let mut bench = cargo();
    bench.args(["run", "--quiet", "--package", "viral-journeys", "--features", "browsers", "--bin", name, "--"]).args(words);
    if std::env::var_os("VIRAL_BIN").is_none() {
        bench.env("VIRAL_BIN", target_dir().join("release/viral"));
    }
    bench
}
