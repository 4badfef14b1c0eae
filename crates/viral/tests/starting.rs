//! What the program says when it is given a directory that is not what it should be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What it says on stderr when it serves `dir`; it is ended as soon as it listens.
fn said(dir: &Path) -> String {
    let mut server = Command::new(env!("CARGO_BIN_EXE_viral"))
        .args(["serve", ".", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    server.kill().unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    server.wait().unwrap();
    said
}

#[test]
fn a_directory_without_an_index_is_served_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    assert!(said(dir.path()).contains("there is no index.html"));
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    assert!(!said(dir.path()).contains("there is no index.html"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -Sn 64; exec \"$0\" serve . --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0", env!("CARGO_BIN_EXE_viral")])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let files: Vec<&str> = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap().split_whitespace().collect();
    assert_ne!(files[0], "64");
    assert!(files[0] == files[1] || files[1] == "unlimited", "{files:?}");
}
