//! Steps around the journeys: the real apps they serve, and the run itself.

use crate::shell::{self, cargo, npm, root, target_dir};
use crate::tools;

/// Journeys at once. Each holds two to six browsers; two cores are busy with one.
const JOURNEYS_AT_ONCE: &str = "1";

/// Installs the apps that journeys serve.
pub(crate) fn install_apps() -> anyhow::Result<()> {
    install("apps")
}

/// Installs what benches measure viral against.
pub(crate) fn install_rivals() -> anyhow::Result<()> {
    install("rivals")
}

/// Installs what a folder's package.json names, unless what is installed is already that.
fn install(folder: &str) -> anyhow::Result<()> {
    let folder = root().join("crates/journeys").join(folder);
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let is_fresh = match (lock.metadata(), installed.metadata()) {
        (Ok(lock), Ok(installed)) => lock.modified()? <= installed.modified()?,
        _ => false,
    };
    if is_fresh {
        return Ok(());
    }
    shell::run(npm(&folder).args(["ci", "--ignore-scripts", "--omit=optional"]))
}

/// Runs the journeys whose name contains `filter`, all without one.
pub(crate) fn run(filter: Option<&str>) -> anyhow::Result<()> {
    let mut tests = cargo();
    tests
        .args(["test", "--package", "viral-journeys", "--features", "browsers", "--test", "journeys", "--"])
        .args(["--test-threads", JOURNEYS_AT_ONCE])
        .args(filter);
    if std::env::var_os("VIRAL_BIN").is_none() {
        tests.env("VIRAL_BIN", target_dir().join("debug/viral"));
    }
    shell::run(tests.env("GECKODRIVER", tools::geckodriver()))
}
