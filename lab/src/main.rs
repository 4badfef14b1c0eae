//! The lab's command line: which scenario, how often, and where the result goes.
#![expect(clippy::print_stdout, reason = "a result is for the person or the program that asked")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use viral_lab::matrix::{self, Client, Judgement};
use viral_lab::nat::Kind;
use viral_lab::outcome::{Outcome, Verdict};
use viral_lab::preflight::Need;
use viral_lab::run::{self, Contestant, Run};
use viral_lab::scenario::{Plan, Scenario, Settings};
use viral_lab::site::Site;
use viral_lab::{preflight, process, report};

/// Longest time that nginx is measured for; beyond it N F/u_s is printed instead, in seconds.
const NGINX_MAX_S: f64 = 180.0;

/// Pairs of native peers at one time: they wait more than they work.
const PAIRS_AT_ONCE: u8 = 6;

/// Exit code when a target is missed and `--strict` was given.
const MISSED: u8 = 5;
/// Exit code when the processor was too busy for a verdict.
const BUSY: u8 = 4;
/// Exit code when this machine or this user cannot run the lab.
const UNABLE: u8 = 3;
/// How often an interrupted lab tries to remove its files, and how long it waits in between: a killed browser is gone within a second.
const REMOVALS_MAX: usize = 20;
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);
/// Exit code of a program ended by SIGINT, as shells write it.
const INTERRUPTED: i32 = 130;

/// Measures a crowd of real visitors on a network of namespaces and shaped links.
#[derive(Debug, Parser)]
#[command(name = "viral-lab", bin_name = "cargo xtask lab", max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, disable_help_subcommand = true)]
struct Cli {
    /// What to run
    #[arg(required = true)]
    scenario: Option<Scenario>,
    #[command(subcommand)]
    other: Option<Other>,
    /// How many visitors [default: the scenario's own number]
    #[arg(long)]
    peers: Option<usize>,
    /// How many of them run the browser's scripts under node; only in `engines` [default: a quarter]
    #[arg(long, value_name = "COUNT")]
    engines: Option<usize>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Multiply every rate by this, so that a busy processor is not the limit; times grow accordingly
    #[arg(long, default_value_t = 1.0, value_parser = a_scale)]
    scale: f64,
    /// Runs of each side; medians are printed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    runs: u32,
    /// Size of the app in megabytes [default: the scenario's own]
    #[arg(long, value_name = "MB")]
    megabytes: Option<f64>,
    /// Every second visitor of a crowd has 10 Mbit/s down and 1 up
    #[arg(long)]
    mixed: bool,
    /// Share of packets lost at random, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Makes the same network and arrivals again; each further run takes the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave nginx out
    #[arg(long)]
    without_nginx: bool,
    /// Measure WebTorrent with the same files, network and arrivals, too; only in `crowd`
    #[arg(long)]
    with_webtorrent: bool,
    /// Exit with 5 when a target is missed
    #[arg(long)]
    strict: bool,
    /// Where the page with the plots goes
    #[arg(long, value_name = "FILE", default_value = "lab.html")]
    report: PathBuf,
}

/// What is measured otherwise than by a crowd.
#[derive(Debug, Subcommand)]
enum Other {
    /// Who connects to whom through real NATs
    Nat(NatArgs),
}

#[derive(Debug, Args)]
struct NatArgs {
    /// Only these kinds of routers
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kinds: Vec<Kind>,
    /// A few pairs, in less than half a minute
    #[arg(long, conflicts_with = "kinds")]
    small: bool,
    /// What the one visits with who seeds
    #[arg(long, value_name = "CLIENT", default_value = "native", conflicts_with = "small")]
    seeds: Client,
    /// What the one visits with who comes
    #[arg(long, value_name = "CLIENT", default_value = "native", conflicts_with = "small")]
    comes: Client,
    /// Pairs at one time [default: 6, with browsers 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=32))]
    at_once: Option<u8>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Exit with 5 when a pair does not do what theory says
    #[arg(long)]
    strict: bool,
    /// Beside which file the logs of pairs go that did not connect, or should not have
    #[arg(long, value_name = "FILE", default_value = "lab.html")]
    report: PathBuf,
}

fn a_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.01..=100.0).contains(&scale) { Ok(scale) } else { Err("must be from 0.01 to 100".to_owned()) }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match (&cli.other, cli.scenario) {
        (Some(Other::Nat(args)), _) => ended(Need::Routers, args.strict, || meet(args)),
        (None, Some(scenario)) => ended(Need::Scenario(scenario, cli.with_webtorrent), cli.strict, || measure(&cli, scenario)),
        // Clap sees that there is one of them.
        (None, None) => ExitCode::from(UNABLE),
    }
}

/// Measures, if this machine has what is needed, and says how it ended.
fn ended(need: Need, is_strict: bool, measure: impl FnOnce() -> anyhow::Result<Verdict>) -> ExitCode {
    if let Err(error) = preflight::check(need) {
        eprintln!("lab: {error:#}");
        return ExitCode::from(UNABLE);
    }
    match measure() {
        Ok(Verdict::Busy) => ExitCode::from(BUSY),
        Ok(Verdict::Missed) if is_strict => ExitCode::from(MISSED),
        Ok(Verdict::Met | Verdict::Missed) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Pairs of visitors behind NATs.
fn meet(args: &NatArgs) -> anyhow::Result<Verdict> {
    let folder = tempfile::Builder::new().prefix("vlab-").tempdir().context("no temporary folder")?;
    end_on_signal(folder.path())?;
    let kinds = if args.kinds.is_empty() { Kind::value_variants() } else { &args.kinds };
    let clients = [args.seeds, args.comes];
    let at_once = args.at_once.unwrap_or(if clients.iter().any(|client| client.is_browser()) { 1 } else { PAIRS_AT_ONCE });
    let plan = if args.small { matrix::Plan::small() } else { matrix::Plan::whole(kinds, clients, usize::from(at_once)) };
    let cells = plan.run(folder.path())?;
    for (number, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.judgement != Judgement::Right) {
        let logs = args.report.with_extension(format!("{}.logs", cell.name.replace(' ', "-")));
        copy_logs(&folder.path().join(format!("pair-{number}")), &logs);
    }
    if args.json {
        println!("{}", matrix::json(&cells));
    } else {
        println!("{}", matrix::text(&cells));
    }
    let is_met = cells.iter().all(|cell| cell.judgement != Judgement::AgainstTheory);
    Ok(if is_met { Verdict::Met } else { Verdict::Missed })
}

fn measure(cli: &Cli, scenario: Scenario) -> anyhow::Result<Verdict> {
    let folder = tempfile::Builder::new().prefix("vlab-").tempdir().context("no temporary folder")?;
    end_on_signal(folder.path())?;
    let settings = |run: u32| Settings {
        peers: cli.peers,
        engines: cli.engines,
        app_bytes: cli.megabytes.map(|megabytes| (megabytes * 1e6) as u64),
        is_mixed: cli.mixed,
        loss: cli.loss,
        scale: cli.scale,
        seed: cli.seed + u64::from(run),
    };
    let plan = Plan::new(scenario, &settings(0));
    let site = Site::make(folder.path(), plan.app_bytes)?;
    let mut outcome =
        Outcome { plan, scale: cli.scale, viral: Vec::new(), nginx: Vec::new(), compared: Vec::new(), webtorrent: Vec::new() };
    // In the trickle nobody waits for the others, so the server alone is as good as its line.
    let has_nginx = !cli.without_nginx && outcome.plan.fluid_bound.server_alone_s() < NGINX_MAX_S;
    for number in 0..cli.runs {
        let plan = Plan::new(scenario, &settings(number));
        let once = |plan: &Plan, contestant: Contestant| -> anyhow::Result<Run> {
            eprintln!("lab: run {} of {}, {contestant:?}", number + 1, cli.runs);
            let place = folder.path().join("run");
            let run = run::run(plan, &site, contestant, &place)?;
            keep_logs(&place, &cli.report, contestant);
            fs::remove_dir_all(&place).context("cannot empty the folder of a run")?;
            Ok(run)
        };
        outcome.viral.push(once(&plan, Contestant::Viral)?);
        if let Some(compared) = plan.clone().compared() {
            outcome.compared.push(once(&compared, Contestant::Viral)?);
        }
        if has_nginx {
            outcome.nginx.push(once(&plan, Contestant::Nginx)?);
        }
        if cli.with_webtorrent {
            outcome.webtorrent.push(once(&plan, Contestant::WebTorrent)?);
        }
    }
    write_report(&outcome, &cli.report)?;
    if cli.json {
        println!("{}", report::json(&outcome));
    } else {
        println!("{}", report::text(&outcome));
        println!("report: {}", cli.report.display());
    }
    Ok(outcome.verdict())
}

fn write_report(outcome: &Outcome, file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, report::html::page(outcome)).with_context(|| format!("cannot write {}", file.display()))
}

/// What the processes of the last run said, beside the report; for whoever wonders about a number.
fn keep_logs(place: &Path, report: &Path, contestant: Contestant) {
    copy_logs(place, &report.with_extension(format!("{contestant:?}.logs").to_lowercase()));
}

fn copy_logs(place: &Path, logs: &Path) {
    let _ = fs::remove_dir_all(logs);
    let _ = fs::create_dir_all(logs);
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_log = entry.path().extension().is_some_and(|extension| extension == "log");
        if is_log && entry.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            let _ = fs::copy(entry.path(), logs.join(entry.file_name()));
        }
    }
}

/// On SIGINT and SIGTERM only files need care: namespaces and devices go with the threads of this process.
fn end_on_signal(folder: &Path) -> anyhow::Result<()> {
    let folder = folder.to_owned();
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            eprintln!("lab: interrupted");
            // A browser that still lives writes into what is being removed.
            process::kill_children();
            for _ in 0..REMOVALS_MAX {
                if fs::remove_dir_all(&folder).is_ok() {
                    break;
                }
                std::thread::sleep(REMOVAL_PAUSE);
            }
            std::process::exit(INTERRUPTED);
        }
    });
    Ok(())
}
