//! The lab: builds what it measures, then hands over to `viral-lab`, whose output and exit code are the chore's own.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context as _;
use clap::Args;

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

/// Runs the lab. Nothing but its own words goes to standard output, so that `--json` stays one object.
pub(crate) fn lab(lab: &Lab) -> anyhow::Result<ExitCode> {
    let status = start(&lab.words)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds what is measured and what measures, and runs it to its end.
fn start(words: &[OsString]) -> anyhow::Result<ExitStatus> {
    run(cargo().args(["build", "--quiet", "--release", "--package", "viral-lab"]))?;
    let scenario = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    if scenario == "hostile" {
        run(cargo().args(["build", "--quiet", "--release", "--package", "viral-peer", "--features", "rogue", "--bin", "viral-rogue"]))?;
    }
    let has_own_viral = std::env::var_os("VIRAL_BIN").is_some();
    if !has_own_viral {
        run(cargo().args(["build", "--quiet", "--release", "--package", "viral"]))?;
    }
    if words.iter().any(|word| word == "--with-webtorrent") {
        tools::ensure(&[tools::NPM])?;
        journeys::install_rivals()?;
    }
    let has_browsers = scenario == "browsers";
    if rustix::process::geteuid().is_root() {
        tools::ensure(&[tools::LAB, if has_browsers { tools::LAB_BROWSERS } else { &[] }])?;
    }
    if has_browsers {
        tools::ensure_geckodriver()?;
    }
    let built = target_dir().join("release");
    let mut lab = command(&built.join("viral-lab").to_string_lossy());
    lab.args(words).env("GECKODRIVER", tools::geckodriver());
    if !has_own_viral {
        lab.env("VIRAL_BIN", built.join("viral"));
    }
    let has_report = words.iter().any(|word| word.to_string_lossy().starts_with("--report"));
    if !has_report && !scenario.is_empty() && !scenario.starts_with('-') {
        lab.arg("--report").arg(target_dir().join("lab").join(scenario).with_extension("html"));
    }
    lab.status().context("cannot start the lab")
}
