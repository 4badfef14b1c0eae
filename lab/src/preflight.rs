//! What this machine must have before there is any point in beginning.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::scenario::Scenario;
use crate::server;
use crate::visit::{scripts, torrent};

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// A crowd, and whether WebTorrent comes, too.
    Scenario(Scenario, bool),
    /// Visitors behind routers.
    Routers,
}

/// A program, and how to get it.
type Program = (PathBuf, &'static str);

/// Where Debian puts the browsers; the harness starts these and no others.
const BROWSERS: &[(&str, &str)] = &[
    ("/usr/bin/chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("/usr/bin/firefox-esr", "firefox-esr"),
    ("unshare", "util-linux"),
];

/// Says what is missing.
///
/// # Errors
/// When something is.
pub fn check(need: Need) -> anyhow::Result<()> {
    if matches!(need, Need::Scenario(scenario, true) if scenario != Scenario::Crowd) {
        bail!("WebTorrent is measured in `crowd` only");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces and TUN devices need root; run it again with sudo");
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!("this kernel has no /dev/net/tun; load the module `tun`");
    }
    let viral = server::viral_binary();
    let has_get = Command::new(&viral).args(["get", "--help"]).output().with_context(|| format!("cannot start {}", viral.display()))?;
    if !has_get.status.success() {
        bail!("{} has no `get`; point VIRAL_BIN at a build that has it", viral.display());
    }
    let programs = match need {
        Need::Scenario(scenario, has_webtorrent) => {
            let rival = if has_webtorrent { webtorrent() } else { Vec::new() };
            required_programs(scenario).into_iter().chain(rival).collect()
        }
        Need::Routers => vec![routers()],
    };
    let missing: Vec<Program> = programs.into_iter().filter(|(program, _)| found(program).is_none()).collect();
    if missing.is_empty() { Ok(()) } else { bail!(complaint(&missing)) }
}

/// What only some scenarios need.
fn required_programs(scenario: Scenario) -> Vec<Program> {
    match scenario {
        Scenario::Hostile => vec![(server::rogue_binary(), "built by cargo xtask lab; or point ROGUE_BIN at one")],
        Scenario::Browsers => {
            let geckodriver = std::env::var_os("GECKODRIVER").map_or_else(|| PathBuf::from("geckodriver"), PathBuf::from);
            let mut programs: Vec<Program> = BROWSERS.iter().map(|(program, package)| (PathBuf::from(program), *package)).collect();
            programs.push((geckodriver, "built by cargo xtask lab; or cargo install geckodriver, or point GECKODRIVER at one"));
            programs
        }
        Scenario::TwoOffices => vec![routers()],
        Scenario::Engines => vec![
            (PathBuf::from("node"), "nodejs"),
            (scripts::package(), "npm ci --ignore-scripts in its folder; cargo xtask lab does that"),
        ],
        Scenario::Crowd | Scenario::Office | Scenario::Isps | Scenario::Trickle | Scenario::Lone => Vec::new(),
    }
}

/// What makes a namespace a router.
fn routers() -> Program {
    (PathBuf::from("nft"), "nftables")
}

/// What the rival needs.
fn webtorrent() -> Vec<Program> {
    vec![(PathBuf::from("node"), "nodejs"), (torrent::package(), "npm ci --ignore-scripts in its folder; cargo xtask lab does that")]
}

/// Where a program is: its path itself, or its name in one of the folders of PATH.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    // Debian keeps programs of administrators in /usr/sbin, which a plain user's PATH leaves out.
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.find_map(|folder| Some(folder.join(program)).filter(|candidate| candidate.is_file()))
}

fn complaint(missing: &[Program]) -> String {
    let listed: Vec<String> = missing
        .iter()
        .map(|(program, source)| {
            let how = if source.contains(' ') { (*source).to_owned() } else { format!("apt-get install {source}") };
            format!("{} ({how})", program.display())
        })
        .collect();
    format!("this scenario needs {}", listed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_how_to_get_it() {
        let missing = [(PathBuf::from("chromedriver"), "chromium-driver"), (PathBuf::from("geckodriver"), "cargo install geckodriver")];
        let expected = "this scenario needs chromedriver (apt-get install chromium-driver), geckodriver (cargo install geckodriver)";
        assert_eq!(complaint(&missing), expected);
    }

    #[test]
    fn programs_are_found_by_name_or_by_path() {
        assert!(found(Path::new("sh")).is_some());
        assert!(found(Path::new("/nowhere/sh")).is_none());
        assert!(found(Path::new("no such program")).is_none());
    }

    #[test]
    fn browsers_need_both_drivers() {
        let programs: Vec<PathBuf> = required_programs(Scenario::Browsers).into_iter().map(|(program, _)| program).collect();
        assert!(programs.contains(&PathBuf::from("chromedriver")) && programs.len() == 5);
        assert!(required_programs(Scenario::Office).is_empty());
    }
}
