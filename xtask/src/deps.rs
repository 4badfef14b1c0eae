//! Dependencies point one way: between crates as the code map in ARCHITECTURE.md draws it, between files without a circle.

mod crates;
mod graph;
mod modules;
mod paths;
mod rust;
mod script;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

use crate::shell::root;

/// Source folders of the crates whose files are looked at, each with the most chapters that it may have (see [`rust`]). Who takes one apart lowers the number.
const RUST: &[(&str, usize)] = &[("crates/wire/src", 1), ("crates/swarm/src", 6), ("crates/site/src", 0), ("crates/server/src", 2)];

/// Folders below [`SCRIPTS_ROOT`] whose files are looked at, all together.
const SCRIPTS: &[&str] = &["core", "shell"];
const SCRIPTS_ROOT: &str = "browser/src";

/// Fails with each dependency between crates that the code map does not allow, and with each circle of files.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut faults = crates::faults()?;
    for (folder, chapters_max) in RUST {
        let tree = rust::read(&sources(folder, folder, "rs")?).with_context(|| format!("reading the modules of {folder}"))?;
        faults.extend(tree.graph.circles().iter().map(|circle| circle.show(folder)));
        if tree.graph.chapters() > *chapters_max {
            faults.push(format!("{folder} has {} chapters of a parent's type, {chapters_max} are allowed", tree.graph.chapters()));
        }
    }
    let mut scripts = BTreeMap::new();
    for folder in SCRIPTS {
        scripts.extend(sources(SCRIPTS_ROOT, &format!("{SCRIPTS_ROOT}/{folder}"), "ts")?);
    }
    faults.extend(script::read(&scripts).circles().iter().map(|circle| circle.show(SCRIPTS_ROOT)));
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

/// The files of a folder with this extension and their text, by their path below `base`.
fn sources(base: &str, folder: &str, extension: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let base = root().join(base);
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                found.insert(name_of(&path, &base), text);
            }
        }
    }
    Ok(found)
}

fn name_of(path: &Path, base: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
