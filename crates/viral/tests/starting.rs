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
