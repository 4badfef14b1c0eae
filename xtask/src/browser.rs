//! Steps about the TypeScript half: install, types, lint, tests, the committed build and its budgets.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::shell::{self, cargo, command, npm, root, run};

/// TypeScript types made from the Rust ones.
const GENERATED: &str = "browser/src/core/generated";
const DIST: &str = "browser/dist";

/// Installs exactly what the lock file names.
pub(crate) fn install() -> anyhow::Result<()> {
    run(npm(&folder()).args(["ci", "--ignore-scripts"]))
}

/// Makes the generated types again in place.
pub(crate) fn write_types() -> anyhow::Result<()> {
    run(cargo().args(["test", "--quiet", "--package", "viral-wire", "export_bindings"]).env("TS_RS_EXPORT_DIR", root().join(GENERATED)))
}

pub(crate) fn types_are_fresh() -> anyhow::Result<()> {
    write_types()?;
    is_committed(GENERATED, "cargo xtask types")
}

/// Builds the scripts and fails when the committed ones differ.
pub(crate) fn dist_is_fresh() -> anyhow::Result<()> {
    script("build")?;
    is_committed(DIST, "cargo xtask dist")
}

pub(crate) fn types_check() -> anyhow::Result<()> {
    script("check")
}

pub(crate) fn lint() -> anyhow::Result<()> {
    script("lint")
}

pub(crate) fn tests() -> anyhow::Result<()> {
    script("test")
}

pub(crate) fn tests_minified() -> anyhow::Result<()> {
    script("test:min")
}

pub(crate) fn budgets() -> anyhow::Result<()> {
    script("sizes")
}

fn script(name: &str) -> anyhow::Result<()> {
    run(npm(&folder()).args(["run", "--silent", name]))
}

fn folder() -> PathBuf {
    root().join("browser")
}

/// Fails when the work tree differs from the index or HEAD under `path`, or has files there that git does not know.
fn is_committed(path: &str, remedy: &str) -> anyhow::Result<()> {
    let changed = shell::output(command("git").args(["status", "--porcelain", "--", path])).context("asking git")?;
    if changed.is_empty() {
        return Ok(());
    }
    bail!("{path} is stale: run `{remedy}` and commit it\n{changed}");
}
