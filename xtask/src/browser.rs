//! Steps about the TypeScript half: install, types, lint, tests, the committed build and its budgets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::rust::WHOLE;
use crate::shell::{are_packages_installed, cargo, npm, root, run};

/// TypeScript types and policies made from the Rust ones.
const GENERATED: &str = "browser/src/core/generated";
const DIST: &str = "browser/dist";

/// Installs exactly what the lock file names.
pub(crate) fn install() -> anyhow::Result<()> {
    run(npm(&folder()).args(["ci", "--ignore-scripts"]))
}

/// Installs what the lock file names, unless it was installed since that changed.
pub(crate) fn ensure_installed() -> anyhow::Result<()> {
    if are_packages_installed(&folder()) { Ok(()) } else { install() }
}

/// Makes the generated types again in place.
pub(crate) fn write_types() -> anyhow::Result<()> {
    // The signals are written by a test of `viral-wire`, the policies by one inside `viral-swarm`.
    let tests = ["--lib", "--test", "types", "export_bindings"];
    run(cargo().args(["test", "--quiet"]).args(WHOLE).args(tests).env("TS_RS_EXPORT_DIR", root().join(GENERATED)))
}

pub(crate) fn types_are_fresh() -> anyhow::Result<()> {
    is_unchanged_by(GENERATED, write_types)
}

/// Builds the scripts and fails when the ones that were there differ.
pub(crate) fn dist_is_fresh() -> anyhow::Result<()> {
    is_unchanged_by(DIST, || script("build"))
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

/// Makes the files of a folder again and fails when that changed any of them; in a fresh clone they are the committed ones.
fn is_unchanged_by(path: &str, make: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let folder = root().join(path);
    let before = contents(&folder)?;
    make()?;
    let after = contents(&folder)?;
    let names: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let stale: Vec<String> =
        names.iter().filter(|name| before.get(**name) != after.get(**name)).map(|name| name.display().to_string()).collect();
    if stale.is_empty() { Ok(()) } else { bail!("{path} was stale and is made again now, commit it: {}", stale.join(" ")) }
}

fn contents(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let body = fs::read(&path)?;
                found.insert(path.strip_prefix(folder)?.to_path_buf(), body);
            }
        }
    }
    Ok(found)
}
