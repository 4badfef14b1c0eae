//! Steps around the journeys: the real apps they serve, and the run itself.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::rust::WHOLE;
use crate::shell::{self, cargo, npm, root, target_dir};
use crate::tools;

/// Journeys at once. Those that need the whole machine wait until they have it.
const JOURNEYS_AT_ONCE: u8 = 2;

/// Failed journeys that get another try. More than these do not fail by chance.
const TRIED_AGAIN_MAX: usize = 6;

/// Installs the apps that journeys serve.
pub(crate) fn install_apps() -> anyhow::Result<()> {
    // With what is optional: Vite and Workbox bundle by binaries that are.
    install("crates/journeys/apps")
}

/// Installs what benches measure viral against, and what journeys let speak to its tracker.
pub(crate) fn install_rivals() -> anyhow::Result<()> {
    // WebTorrent's WebRTC for node is an optional package, one for each platform.
    install("crates/journeys/rivals")
}

/// Installs what runs the browser's scripts in the lab.
pub(crate) fn install_engine() -> anyhow::Result<()> {
    install("lab/engine")
}

/// Installs what a folder's package.json names, unless what is installed is already that.
fn install(folder: &str) -> anyhow::Result<()> {
    let folder = root().join(folder);
    if shell::are_packages_installed(&folder) {
        return Ok(());
    }
    // What npm says is no output of ours: the lab's is one object.
    shell::run(npm(&folder).args(["ci", "--ignore-scripts"]).stdout(Stdio::from(std::io::stderr())))
}

/// Runs the journeys whose name contains `filter`, all without one.
///
/// Timing of real browsers depends on what else the machine does, so the few that failed get one more try, alone, and that is said.
pub(crate) fn run(filter: Option<&str>) -> anyhow::Result<()> {
    let failed = attempt(filter.as_slice(), JOURNEYS_AT_ONCE)?;
    if failed.is_empty() {
        return Ok(());
    }
    if failed.len() > TRIED_AGAIN_MAX {
        bail!("{} journeys failed: {}", failed.len(), failed.join(" "));
    }
    println!("trying again: {}", failed.join(" "));
    let names: Vec<&str> = failed.iter().map(String::as_str).chain(["--exact"]).collect();
    let failed_again = attempt(&names, 1)?;
    if failed_again.is_empty() { Ok(()) } else { bail!("failed twice: {}", failed_again.join(" ")) }
}

/// Runs journeys once, so many at a time; returns the names of those that failed.
fn attempt(words: &[&str], at_once: u8) -> anyhow::Result<Vec<String>> {
    let mut tests = cargo();
    tests
        .arg("test")
        .args(WHOLE)
        .args(["--test", "journeys", "--"])
        .args(["--test-threads", &at_once.to_string()])
        .args(words)
        .env("GECKODRIVER", tools::geckodriver())
        .env("VIRAL_FIREFOX_CACHE", tools::tools_dir().join("firefox"));
    if std::env::var_os("VIRAL_BIN").is_none() {
        tests.env("VIRAL_BIN", target_dir().join("debug/viral"));
    }
    let mut child = tests.stdout(Stdio::piped()).spawn().context("starting the journeys")?;
    let mut failed = Vec::new();
    for line in BufReader::new(child.stdout.take().context("standard output is piped")?).lines() {
        let line = line?;
        println!("{line}");
        let name = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
        failed.extend(name.map(str::to_owned));
    }
    let status = child.wait()?;
    if !status.success() && failed.is_empty() {
        bail!("the journeys ended with {status} before any of them failed");
    }
    Ok(failed)
}
