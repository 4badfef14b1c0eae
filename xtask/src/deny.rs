//! What others' crates bring: licences, sources and known faults, as `deny.toml` has it.

use std::path::PathBuf;

use crate::shell::{cargo, run, which};

/// What can be checked here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checkable {
    /// The tool is not there.
    Nothing,
    /// What the lock file and the crates themselves tell.
    Crates,
    /// Their known faults, too.
    CratesAndAdvisories,
}

/// The faults are known only by a database from the network, which may have been fetched before.
fn checkable(has_tool: bool, has_advisories: bool) -> Checkable {
    match (has_tool, has_advisories) {
        (false, _) => Checkable::Nothing,
        (true, false) => Checkable::Crates,
        (true, true) => Checkable::CratesAndAdvisories,
    }
}

pub(crate) fn check() -> anyhow::Result<()> {
    let has_tool = which("cargo-deny").is_some();
    // An old database is better than none: without a network the one that is there is asked.
    let is_fetched = has_tool && run(cargo().args(["deny", "fetch", "db"])).is_ok();
    match checkable(has_tool, is_fetched || has_database()) {
        Checkable::Nothing => println!("not checked: there is no cargo-deny on PATH (cargo install cargo-deny)"),
        Checkable::Crates => {
            run(cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;
            println!("advisories are not checked: their database cannot be fetched from here");
        }
        Checkable::CratesAndAdvisories => {
            run(cargo().args(["deny", "check", "--disable-fetch", "advisories", "bans", "licenses", "sources"]))?;
        }
    }
    Ok(())
}

/// Whether a database was fetched to where cargo-deny keeps it.
fn has_database() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let databases = home.and_then(|home| home.join("advisory-dbs").read_dir().ok());
    databases.is_some_and(|entries| entries.flatten().any(|entry| entry.path().join(".git").is_dir()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_here_is_not_checked_and_the_rest_is() {
        assert_eq!(checkable(false, true), Checkable::Nothing);
        assert_eq!(checkable(true, false), Checkable::Crates);
        assert_eq!(checkable(true, true), Checkable::CratesAndAdvisories);
    }
}
