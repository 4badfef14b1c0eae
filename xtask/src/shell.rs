//! Starting other programs from the root of the repository, with errors that say which one failed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.parent().map_or_else(|| manifest_dir.clone(), Path::to_path_buf)
}

/// Cargo's target directory, as cargo itself would choose it.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command run from the root of the repository.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Cargo, the same one that runs this chore.
pub(crate) fn cargo() -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// npm in a folder of the repository, told not to chat.
pub(crate) fn npm(folder: &Path) -> Command {
    let mut npm = command("npm");
    npm.current_dir(folder).env("npm_config_fund", "false").env("npm_config_audit", "false").env("npm_config_update_notifier", "false");
    npm
}

/// Whether a folder's npm packages were installed since its lock file changed.
pub(crate) fn are_packages_installed(folder: &Path) -> bool {
    let changed = |path: &str| folder.join(path).metadata().and_then(|found| found.modified()).ok();
    // npm writes it at the end of each installation.
    changed("node_modules/.package-lock.json").zip(changed("package-lock.json")).is_some_and(|(installed, wanted)| wanted <= installed)
}

/// Runs a command to its end with its output on ours; fails when it does.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// What a command says on standard output; fails when it does.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = show(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` said what is no text"))
}

/// Where a program is on PATH, if it is.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps servers in /usr/sbin, which a plain user's PATH leaves out.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
