//! The native peer as a person or a script starts it: `viral get` and `viral seed` of the binary under test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::process::Process;
use crate::server::command;
use crate::site::Site;

/// A whole `viral get` with everything it does.
const GET: Duration = Duration::from_secs(60);

/// What `viral get --json` prints, as far as the contract promises it.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    /// Everything is there and right.
    pub ok: bool,
    /// `thin`, `full`, `plain` or `asset`.
    pub answer: Option<String>,
    /// Verified bytes from peers.
    pub bytes_from_peers: u64,
    /// Verified bytes from the server.
    pub bytes_from_origin: u64,
    /// Peers that gave something.
    pub peers_used: u64,
    /// Distinct pieces.
    pub pieces: u64,
    /// Peers that lied.
    pub bans: u64,
    /// Milliseconds to the end.
    pub ms_total: u64,
    /// Milliseconds to the first piece.
    pub ms_first_piece: Option<u64>,
}

/// What one `viral get` came to.
#[derive(Debug)]
pub struct Got {
    /// What it printed.
    pub report: Report,
    /// What it said on standard error.
    pub said: String,
    folder: TempDir,
}

impl Got {
    /// Where it wrote the app.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Every file of the site is there, byte for byte.
    ///
    /// # Panics
    /// When one is not.
    pub fn assert_identical(&self, site: &Site) {
        let paths: Vec<&str> = site.digests().keys().map(String::as_str).chain(["/index.html"]).collect();
        for path in paths {
            let path = path.trim_start_matches('/');
            let (ours, theirs) = (std::fs::read(self.folder().join(path)), std::fs::read(site.folder().join(path)));
            assert!(ours.is_ok(), "{path} is missing; {:?} {}", self.report, self.said);
            assert!(ours.ok() == theirs.ok(), "{path} differs");
        }
    }
}

/// Runs `viral get URL -o FOLDER --json` with `more` arguments.
///
/// # Panics
/// When it does not end in time or prints anything else than its object.
pub async fn get(url: &str, more: &[&str]) -> Got {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut arguments: Vec<OsString> = vec!["get".into(), url.into(), "--json".into(), "-o".into(), folder.path().join("out").into()];
    arguments.extend(more.iter().map(OsString::from));
    let mut command = tokio::process::Command::from(command(&arguments));
    command.stdin(Stdio::null()).current_dir(folder.path()).kill_on_drop(true);
    let output = tokio::time::timeout(GET, command.output()).await.expect("get ends in time").expect("get starts");
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned());
    let report: Report = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in {printed:?}; it said {said}"));
    assert_eq!(report.ok, output.status.success(), "{printed} {said}");
    Got { report, said, folder }
}

/// Starts `viral seed URL` with its store in `folder`.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn seed(url: &str, folder: &Path, more: &[&str]) -> Process {
    let mut arguments: Vec<OsString> = vec!["seed".into(), url.into(), "--store".into(), folder.join("store").into()];
    arguments.extend(more.iter().map(OsString::from));
    Process::start(command(&arguments).current_dir(folder), folder).expect("seed starts")
}
