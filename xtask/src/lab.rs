//! The lab: builds what it measures, then hands over to `viral-lab`, whose output and exit code are the chore's own.

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use crate::rust::WHOLE;
use crate::shell::{cargo, command, run, target_dir};
use crate::{journeys, tools};

/// What is handed on.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Lab {
    /// SCENARIO and its options; `cargo xtask lab --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Exit code of `viral-lab` when this machine cannot run it (lab/src/main.rs).
const UNABLE: i32 = 3;

/// Least idle processor time, in per cent, at which times say something about the swarm and not about the machine (lab/src/outcome.rs).
const IDLE_PCT_MIN: f64 = 20.0;

/// A crowd of twelve, in a minute: everybody gets the app, in less than twice the time that physics needs, and the origin sends it hardly more than once.
/// These bounds are looser than the targets of docs/LAB.md, which are for a quiet machine. Without root that is said, and nothing fails.
pub(crate) fn small_crowd() -> anyhow::Result<()> {
    shares_the_work(&["crowd", "--peers", "12", "--without-nginx", "--json"], 2.0)
}

/// Six visitors who run the browser's scripts under node, and two native peers, in half a minute. The scripts alone take them two seconds over the origin's line.
pub(crate) fn small_engines() -> anyhow::Result<()> {
    shares_the_work(&["engines", "--peers", "8", "--engines", "6", "--megabytes", "3", "--without-nginx", "--json"], 3.0)
}

/// Whether everybody in a small run gets the app, within so many times the bound, of hardly more than one copy.
fn shares_the_work(words: &[&str], bounds_max: f64) -> anyhow::Result<()> {
    let Some(mut lab) = small(words)? else { return Ok(()) };
    let Some(result) = measured(&mut lab)? else { return Ok(()) };
    let number = |name: &str| result[name].as_f64();
    let (Some(bound_s), Some(last_s), Some(copies), Some(idle_pct)) =
        (number("bound_s"), number("last_s"), number("origin_payload_ratio"), number("cpu_idle_pct"))
    else {
        bail!("not everybody got the app: {}", result["done"]);
    };
    println!("last {last_s:.1} s, bound {bound_s:.1} s, origin {copies:.2} copies, processor {idle_pct:.0} % idle");
    if result["forged_bytes_deployed"] != 0 {
        bail!("somebody accepted what is not the origin's");
    }
    if idle_pct < IDLE_PCT_MIN {
        println!("no verdict: this machine was too busy");
    } else if last_s > bounds_max * bound_s || copies > 1.5 {
        bail!("the crowd did not share the work");
    }
    Ok(())
}

/// Six pairs of visitors behind real NATs: who can connect does, who cannot does not. What a busy machine made late gets one more try.
/// Without root or nftables that is said, and nothing fails.
pub(crate) fn small_matrix() -> anyhow::Result<()> {
    let Some(mut lab) = small(&["nat", "--small", "--json"])? else { return Ok(()) };
    for is_last in [false, true] {
        let Some(result) = measured(&mut lab)? else { return Ok(()) };
        if result["against_theory"] == 0 {
            println!("{} pairs do what theory says", result["pairs"].as_array().map_or(0, Vec::len));
            return Ok(());
        }
        if is_last {
            bail!("pairs behind NATs that do not do what theory says: {}", result["against_theory"]);
        }
        println!("trying again: {}", result["against_theory"]);
    }
    Ok(())
}

/// A lab of the development build that says what it measures in one JSON object; none, with a word of why, without root.
fn small(words: &[&str]) -> anyhow::Result<Option<Command>> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: network namespaces need root");
        return Ok(None);
    }
    let mut lab = prepare(&words.iter().map(OsString::from).collect::<Vec<_>>(), Build::Development)?;
    lab.stdout(Stdio::piped()).stderr(Stdio::inherit());
    Ok(Some(lab))
}

/// What it measured; none, with a word of why, where it cannot run.
fn measured(lab: &mut Command) -> anyhow::Result<Option<Value>> {
    let output = lab.output().context("cannot start the lab")?;
    if output.status.code() == Some(UNABLE) {
        println!("skipped: the lab cannot run here");
        return Ok(None);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("the lab ended with {}", output.status)).map(Some)
}

/// Runs the lab. Nothing but its own words goes to standard output, so that `--json` stays one object.
pub(crate) fn lab(lab: &Lab) -> anyhow::Result<ExitCode> {
    let status = prepare(&lab.words, Build::Release)?.status().context("cannot start the lab")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Which build is measured: figures need the optimised one; a test of how they come about does not, and saves minutes.
#[derive(Clone, Copy)]
enum Build {
    Development,
    Release,
}

/// Builds what is measured and what measures; what is left is to start it.
fn prepare(words: &[OsString], build: Build) -> anyhow::Result<Command> {
    let (flags, folder): (&[&str], _) = match build {
        Build::Development => (&[], "debug"),
        Build::Release => (&["--release"], "release"),
    };
    match build {
        // As the tests are built, so that nothing is built again; both binaries are by-products of their crates' own tests.
        Build::Development => run(cargo().args(["test", "--quiet", "--no-run", "--test", "network", "--test", "ending"]).args(WHOLE))?,
        Build::Release => run(cargo().args(["build", "--quiet", "--package", "viral-lab"]).args(flags))?,
    }
    let scenario = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    if scenario == "hostile" {
        run(cargo().args(["build", "--quiet", "--package", "viral-peer", "--features", "rogue", "--bin", "viral-rogue"]).args(flags))?;
    }
    let has_own_viral = std::env::var_os("VIRAL_BIN").is_some();
    if !has_own_viral && matches!(build, Build::Release) {
        run(cargo().args(["build", "--quiet", "--package", "viral"]).args(flags))?;
    }
    if words.iter().any(|word| word == "--with-webtorrent") {
        tools::ensure(&[tools::NPM])?;
        journeys::install_rivals()?;
    }
    if scenario == "engines" {
        tools::ensure(&[tools::NPM])?;
        journeys::install_engine()?;
    }
    let has_browsers = scenario == "browsers";
    if rustix::process::geteuid().is_root() {
        let has_routers = scenario == "nat" || scenario == "two-offices";
        let browsers = if has_browsers { tools::LAB_BROWSERS } else { &[] };
        tools::ensure(&[tools::LAB, browsers, if has_routers { tools::LAB_ROUTERS } else { &[] }])?;
    }
    if has_browsers {
        tools::ensure_geckodriver()?;
    }
    let built = target_dir().join(folder);
    let mut lab = command(&built.join("viral-lab").to_string_lossy());
    lab.args(words).env("GECKODRIVER", tools::geckodriver());
    if !has_own_viral {
        lab.env("VIRAL_BIN", built.join("viral"));
    }
    let has_report = words.iter().any(|word| word.to_string_lossy().starts_with("--report"));
    if !has_report && !scenario.is_empty() && !scenario.starts_with('-') {
        lab.arg("--report").arg(target_dir().join("lab").join(scenario).with_extension("html"));
    }
    Ok(lab)
}
