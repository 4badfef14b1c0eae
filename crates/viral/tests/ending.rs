//! How the program ends, as whoever supervises it sees it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Of starts whose handlers come after the announcement about one in five is killed.
const STARTS: usize = 25;

/// A server of this folder, and the line that it announced itself with.
fn start_in(folder: &Path, stderr: Stdio) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_viral"))
        .args(["serve", ".", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (server, line)
}

#[test]
fn a_hangup_reads_the_site_anew_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let (mut server, _) = start_in(dir.path(), Stdio::piped());
    kill_process(Pid::from_child(&server), Signal::HUP).unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("reading the site anew")));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(server.wait().unwrap().success(), "the end it was told");
}

#[test]
fn a_signal_right_after_the_announcement_ends_it_gracefully() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    for start in 0..STARTS {
        let (mut server, line) = start_in(dir.path(), Stdio::null());
        kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
        let status = server.wait().unwrap();
        assert!(line.starts_with("listening on http://"), "{line}");
        assert!(status.success(), "start {start}: {status}");
    }
}
