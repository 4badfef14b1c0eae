//! What this machine must have before there is any point in beginning.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::scenario::Scenario;
use crate::server;
use crate::visit::torrent;

/// A program, and how to get it.
type Need = (PathBuf, &'static str);

/// Where Debian puts the browsers; the harness starts these and no others.
const BROWSERS: &[(&str, &str)] = &[
    ("/usr/bin/chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("/usr/bin/firefox-esr", "firefox-esr"),
    ("unshare", "util-linux"),
];

/// Says what is missing for `scenario`.
///
/// # Errors
/// When something is.
pub fn check(scenario: Scenario, has_webtorrent: bool) -> anyhow::Result<()> {
    if has_webtorrent && scenario != Scenario::Crowd {
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
    let rival = if has_webtorrent { webtorrent() } else { Vec::new() };
    let missing: Vec<Need> = needs(scenario).into_iter().chain(rival).filter(|(program, _)| found(program).is_none()).collect();
    if missing.is_empty() { Ok(()) } else { bail!(complaint(&missing)) }
}

/// What only some scenarios need.
fn needs(scenario: Scenario) -> Vec<Need> {
    match scenario {
        Scenario::Hostile => vec![(server::rogue_binary(), "built by cargo xtask lab; or point ROGUE_BIN at one")],
        Scenario::Browsers => {
            let geckodriver = std::env::var_os("GECKODRIVER").map_or_else(|| PathBuf::from("geckodriver"), PathBuf::from);
            let mut needs: Vec<Need> = BROWSERS.iter().map(|(program, package)| (PathBuf::from(program), *package)).collect();
            needs.push((geckodriver, "built by cargo xtask lab; or cargo install geckodriver, or point GECKODRIVER at one"));
            needs
        }
        Scenario::Crowd | Scenario::Office | Scenario::Trickle | Scenario::Lone => Vec::new(),
    }
}

/// What the rival needs.
fn webtorrent() -> Vec<Need> {
    vec![(PathBuf::from("node"), "nodejs"), (torrent::package(), "npm ci --ignore-scripts in its folder; cargo xtask lab does that")]
}

/// Where a program is: its path itself, or its name in one of the folders of PATH.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn complaint(missing: &[Need]) -> String {
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
        let programs: Vec<PathBuf> = needs(Scenario::Browsers).into_iter().map(|(program, _)| program).collect();
        assert!(programs.contains(&PathBuf::from("chromedriver")) && programs.len() == 5);
        assert!(needs(Scenario::Office).is_empty());
    }
}
