//! Steps about the Rust half: formatting, lints, tests and the binary under test.

use crate::shell::{cargo, run};

/// Journeys need browsers: they are compiled and linted here, run by their own step.
const JOURNEYS_CRATE: &str = "viral-journeys";

pub(crate) fn formatting() -> anyhow::Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))
}

pub(crate) fn clippy() -> anyhow::Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets"]).args([
        "--features",
        "viral-journeys/browsers,viral-peer/rogue",
        "--",
        "-D",
        "warnings",
    ]))
}

pub(crate) fn tests() -> anyhow::Result<()> {
    let with_nextest = crate::shell::which("cargo-nextest").is_some();
    let runner: &[&str] = if with_nextest { &["nextest", "run", "--no-fail-fast"] } else { &["test", "--all-targets"] };
    run(cargo().args(runner).args(["--workspace", "--exclude", JOURNEYS_CRATE]))
}

pub(crate) fn doc_tests() -> anyhow::Result<()> {
    run(cargo().args(["test", "--doc", "--workspace", "--exclude", JOURNEYS_CRATE]))
}

pub(crate) fn build_viral() -> anyhow::Result<()> {
    run(cargo().args(["build", "--package", "viral"]))
}
