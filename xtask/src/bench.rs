//! Benches: measured on this machine, both sides of each comparison in the same minute.

use std::ffi::OsString;
use std::path::PathBuf;
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
    /// The tracker beside `aquatic_ws`: announces and introductions per CPU-second, memory of sessions, a restart, one decision among a million.
    Tracker(Tracker),
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
            Self::Tracker(_) => &[tools::BENCH_TRACKER],
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
    /// An app of your own, beside or in place of those: a folder with an `index.html` that sets `window.app = { done, result, ms }`
    /// once it has its result, `ms` being `performance.now()` then.
    #[arg(long, value_name = "FOLDER")]
    site: Vec<String>,
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
        for (name, values) in [("--engine", &self.engine), ("--app", &self.app), ("--site", &self.site), ("--only", &self.only)] {
            words.extend(values.iter().flat_map(|value| [name.into(), value.into()]));
        }
        if self.json {
            words.push("--json".into());
        }
        words
    }
}

/// What is handed on to the bench of the tracker.
#[derive(Debug, Args)]
pub(crate) struct Tracker {
    /// Rounds of each side in rows that have rounds; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only rows whose name contains this: `announces-tls`, `announces-plain`, `memory-plain`, `memory-tls`, `memory-many`, `metrics`, `introductions`, `storm`, `decision`.
    #[arg(long)]
    only: Option<String>,
    /// This share of all sessions, sockets and visits.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Another build of viral, beside which introductions stand.
    #[arg(long)]
    before: Option<PathBuf>,
}

impl Tracker {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }

    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> =
            vec!["--rounds".into(), self.rounds.to_string().into(), "--scale".into(), self.scale.to_string().into()];
        words.extend(self.only.iter().flat_map(|name| ["--only".into(), name.into()]));
        words.extend(self.before.iter().flat_map(|path| ["--before".into(), path.into()]));
        words
    }

    fn run(&self, steps: &mut Steps) -> anyhow::Result<()> {
        if self.wants("decision") {
            steps.run("bench admit, a million sessions", || shell::run(example_command("viral-swarm", "admit").args(["--", "1000000"])))?;
            if self.only.as_deref() == Some("decision") {
                return Ok(());
            }
        }
        steps.run("build viral (release)", release::build)?;
        let rival = tools::AQUATIC;
        if ["announces-tls", "announces-plain", "memory-plain", "memory-tls"].iter().any(|row| self.wants(row)) {
            steps.run("aquatic from crates.io", || rival.iter().try_for_each(|tool| tools::ensure_crate(*tool)))?;
        }
        steps.run("bench tracker", || {
            let mut command = bench("bench-tracker", &self.words());
            for (variable, tool) in ["AQUATIC_WS", "AQUATIC_WS_LOAD_TEST"].into_iter().zip(rival) {
                if std::env::var_os(variable).is_none() {
                    command.env(variable, tools::crate_tool(*tool));
                }
            }
            shell::run(&mut command)
        })
    }
}

pub(crate) fn run(steps: &mut Steps, what: &Bench) -> anyhow::Result<()> {
    if let Bench::Native = what {
        return steps.run("bench native", || example("viral-peer", "goodput"));
    }
    if let Bench::Admit = what {
        return steps.run("bench admit", || example("viral-swarm", "admit"));
    }
    if let Bench::Tracker(tracker) = what {
        return tracker.run(steps);
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
        Bench::Native | Bench::Admit | Bench::Tracker(_) | Bench::Http { .. } => Ok(()),
    }
}

fn example(package: &str, name: &str) -> anyhow::Result<()> {
    shell::run(&mut example_command(package, name))
}

fn example_command(package: &str, name: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", package, "--example", name]);
    command
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
