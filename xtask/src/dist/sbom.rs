//! The bill of materials of the program: every crate in it with version, licence and digest, in CycloneDX's JSON.
//!
//! cargo-cyclonedx writes it, the tool of CycloneDX itself: it knows which dependency is for building only.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::cargo_subcommand;
use crate::shell::{root, run};
use crate::tools;

/// What its files are called, beside each Cargo.toml of the workspace.
const EXTENSION: &str = ".cdx.json";

/// Writes what is in the program, for a platform, as of `time` (seconds since 1970).
pub(super) fn write(to: &Path, target: &str, time: u64) -> anyhow::Result<()> {
    // Of a workspace it describes each member; only one is given away.
    let made = run(cargo_subcommand(tools::CARGO_CYCLONEDX, "cyclonedx")
        .args(["--quiet", "--format", "json", "--spec-version", "1.5", "--describe", "binaries", "--target", target])
        .arg("--manifest-path")
        .arg(root().join("crates/viral/Cargo.toml"))
        .env("SOURCE_DATE_EPOCH", time.to_string()));
    let text = std::fs::read_to_string(root().join("crates/viral/viral_bin.cdx.json"));
    remove_all()?;
    made?;
    std::fs::write(to, without_paths(&text.context("cargo-cyclonedx wrote nothing")?, &root()))?;
    Ok(())
}

/// The text without the place of the repository on this machine: `/viral`, as in the program.
fn without_paths(text: &str, root: &Path) -> String {
    text.replace(&format!("path+file://{}", root.display()), "path+file:///viral")
}

/// Removes what the tool wrote, beside each Cargo.toml.
fn remove_all() -> anyhow::Result<()> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().map(PathBuf::from).context("a manifest lies in a folder")?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(EXTENSION) {
                std::fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_of_this_machine_is_named() {
        let text = r#""bom-ref": "path+file:///home/a/viral/crates/wire#viral-wire@0.1.0""#;
        assert_eq!(without_paths(text, Path::new("/home/a/viral")), r#""bom-ref": "path+file:///viral/crates/wire#viral-wire@0.1.0""#);
    }
}
