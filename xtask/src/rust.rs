//! Steps about the Rust half: formatting, lints, tests and the binary under test.

use std::num::NonZero;

use crate::shell::{cargo, run};

/// Journeys need browsers: they are compiled and linted here, run by their own step.
const JOURNEYS_CRATE: &str = "viral-journeys";

/// What cargo is told for every build of tests. The same words each time, or the crates of others are built once for each choice of packages.
pub(crate) const WHOLE: [&str; 3] = ["--workspace", "--features", "viral-journeys/browsers"];

/// The features that turn all code on.
const ALL_CODE: [&str; 2] = ["--features", "viral-journeys/browsers,viral-peer/rogue"];

pub(crate) fn formatting() -> anyhow::Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))
}

pub(crate) fn clippy() -> anyhow::Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(ALL_CODE).args(["--", "-D", "warnings"]))
}

/// Links in the documentation of the crates lead somewhere.
pub(crate) fn docs() -> anyhow::Result<()> {
    run(cargo().args(["doc", "--workspace", "--no-deps"]).args(ALL_CODE).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Other programs have the server without what only the program `viral` needs, and without features.
pub(crate) fn library() -> anyhow::Result<()> {
    run(cargo().args(["check", "--package", "viral-server"]))?;
    // What only a feature uses would be dead code.
    run(cargo().args(["clippy", "--package", "viral-server", "--no-default-features", "--", "-D", "warnings"]))
}

pub(crate) fn tests() -> anyhow::Result<()> {
    if crate::shell::which("cargo-nextest").is_some() {
        let all_but_journeys = format!("not package({JOURNEYS_CRATE})");
        // Twice as many at once as there are processors: most of the longest wait for a network or a clock.
        let at_once = 2 * std::thread::available_parallelism().map_or(1, NonZero::get);
        return run(cargo()
            .args(["nextest", "run", "--no-fail-fast", "--test-threads", &at_once.to_string()])
            .args(WHOLE)
            .args(["--filterset", &all_but_journeys]));
    }
    run(cargo().args(["test", "--all-targets", "--workspace", "--exclude", JOURNEYS_CRATE]))
}

pub(crate) fn doc_tests() -> anyhow::Result<()> {
    run(cargo().args(["test", "--doc"]).args(WHOLE))
}

/// Builds the binary as the tests of its crate do, whose build has it beside them.
pub(crate) fn build_viral() -> anyhow::Result<()> {
    run(cargo().args(["test", "--no-run", "--test", "ending"]).args(WHOLE))
}
