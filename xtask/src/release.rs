//! The release build: the same binary wherever it is built, without the paths of that machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::shell::{cargo, root, run, target_dir};

/// Between two flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// Builds `viral` in release mode.
pub(crate) fn build() -> anyhow::Result<()> {
    let given = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok();
    let given = given.or_else(|| std::env::var("RUSTFLAGS").ok().map(|flags| flags.split_whitespace().collect::<Vec<_>>().join(SEPARATOR)));
    let flags = flags(given.as_deref(), &places()?);
    run(cargo().args(["build", "--release", "--package", "viral"]).env("CARGO_ENCODED_RUSTFLAGS", flags))
}

/// Fails if the binary names a place of this machine.
pub(crate) fn check() -> anyhow::Result<()> {
    let path = target_dir().join("release/viral");
    let binary = std::fs::read(&path).with_context(|| format!("no binary at {}", path.display()))?;
    match places()?.iter().find(|(place, _)| names(&binary, place)) {
        Some((place, _)) => bail!("the binary names {}", place.display()),
        None => Ok(()),
    }
}

/// Where sources are on this machine, and what stands for it in the binary.
fn places() -> anyhow::Result<Vec<(PathBuf, &'static str)>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("this user has no home directory")?;
    Ok(vec![(home, "/cargo"), (root(), "/viral")])
}

fn flags(given: Option<&str>, places: &[(PathBuf, &str)]) -> OsString {
    let mut flags = OsString::from(given.unwrap_or_default());
    for (place, name) in places {
        if !flags.is_empty() {
            flags.push(SEPARATOR);
        }
        flags.push("--remap-path-prefix=");
        flags.push(place);
        flags.push("=");
        flags.push(name);
    }
    flags
}

fn names(binary: &[u8], place: &Path) -> bool {
    let place = place.as_os_str().as_encoded_bytes();
    binary.windows(place.len()).any(|window| window == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_mapped_beside_the_flags_that_were_given() {
        let places = [(PathBuf::from("/home/a b/.cargo"), "/cargo"), (PathBuf::from("/src"), "/viral")];
        let mapped = "--remap-path-prefix=/home/a b/.cargo=/cargo\u{1f}--remap-path-prefix=/src=/viral";
        assert_eq!(flags(None, &places), OsString::from(mapped));
        assert_eq!(flags(Some("-C\u{1f}opt-level=3"), &places), OsString::from(format!("-C\u{1f}opt-level=3\u{1f}{mapped}")));
    }

    #[test]
    fn a_place_in_the_binary_is_found() {
        assert!(names(b"\0panicked at /home/a/.cargo/registry\0", Path::new("/home/a/.cargo")));
        assert!(!names(b"\0panicked at /cargo/registry\0", Path::new("/home/a/.cargo")));
    }
}
