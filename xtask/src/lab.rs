//! The lab: builds what it measures, then hands over to `viral-lab`, whose output and exit code are the chore's own.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
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

/// Runs the lab. Nothing but its own words goes to standard output, so that `--json` stays one object.
pub(crate) fn lab(lab: &Lab) -> anyhow::Result<ExitCode> {
    run(cargo().args(["build", "--quiet", "--release", "--package", "viral-lab"]))?;
    if std::env::var_os("VIRAL_BIN").is_none() {
        run(cargo().args(["build", "--quiet", "--release", "--package", "viral"]))?;
    }
    if rustix::process::geteuid().is_root() {
        tools::ensure(&[tools::LAB])?;
    }
    let release = target_dir().join("release");
    let mut lab_command = command(&release.join("viral-lab").to_string_lossy());
    lab_command.args(&lab.words);
    if std::env::var_os("VIRAL_BIN").is_none() {
        lab_command.env("VIRAL_BIN", release.join("viral"));
    }
    let has_report = lab.words.iter().any(|word| word.to_string_lossy().starts_with("--report"));
    if let Some(scenario) = lab.words.first().filter(|word| !has_report && !word.to_string_lossy().starts_with('-')) {
        lab_command.arg("--report").arg(target_dir().join("lab").join(scenario).with_extension("html"));
    }
    let status = lab_command.status().context("cannot start the lab")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
