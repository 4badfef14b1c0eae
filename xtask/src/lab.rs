//! The lab: builds what it measures, then hands over to `viral-lab`, whose output and exit code are the chore's own.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::shell::{cargo, command, run, target_dir};
use crate::tools;

/// What is handed on.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Lab {
    /// SCENARIO and its options; `cargo xtask lab --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Exit codes of `viral-lab` (lab/src/main.rs).
const UNABLE: i32 = 3;
const BUSY: i32 = 4;

/// A crowd of twelve, under two minutes. Where there is no root, or no time for a verdict, that is said and nothing fails.
pub(crate) fn small_crowd() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: network namespaces need root");
        return Ok(());
    }
    let words = ["crowd", "--peers", "12", "--megabytes", "2", "--without-nginx"].map(OsString::from).to_vec();
    let status = start(&words)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(UNABLE) => {
            println!("skipped: the lab cannot run here");
            Ok(())
        }
        Some(BUSY) => {
            println!("no verdict: this machine was too busy");
            Ok(())
        }
        _ => bail!("the lab ended with {status}"),
    }
}

/// Runs the lab. Nothing but its own words goes to standard output, so that `--json` stays one object.
pub(crate) fn lab(lab: &Lab) -> anyhow::Result<ExitCode> {
    let status = start(&lab.words)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds what is measured and what measures, and runs it to its end.
fn start(words: &[OsString]) -> anyhow::Result<ExitStatus> {
    run(cargo().args(["build", "--quiet", "--release", "--package", "viral-lab"]))?;
    let has_own_viral = std::env::var_os("VIRAL_BIN").is_some();
    if !has_own_viral {
        run(cargo().args(["build", "--quiet", "--release", "--package", "viral"]))?;
    }
    if rustix::process::geteuid().is_root() {
        tools::ensure(&[tools::LAB])?;
    }
    let release = target_dir().join("release");
    let mut lab = command(&release.join("viral-lab").to_string_lossy());
    lab.args(words);
    if !has_own_viral {
        lab.env("VIRAL_BIN", release.join("viral"));
    }
    let has_report = words.iter().any(|word| word.to_string_lossy().starts_with("--report"));
    if let Some(scenario) = words.first().filter(|word| !has_report && !word.to_string_lossy().starts_with('-')) {
        lab.arg("--report").arg(target_dir().join("lab").join(scenario).with_extension("html"));
    }
    lab.status().context("cannot start the lab")
}
