//! The settings that come with the Debian package and the archive.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/viral.toml");

fn serve(settings: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viral"));
    command.args(["serve", "--config"]).arg(settings).current_dir(settings.parent().unwrap()).stdin(Stdio::null());
    command
}

#[test]
fn the_service_says_that_it_has_no_site_yet() {
    let output = serve(Path::new(SETTINGS)).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is to be served"));
}

#[test]
fn the_site_is_served_once_its_lines_are_no_comment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let mut text = std::fs::read_to_string(SETTINGS).unwrap();
    let changes = [
        ("# [[site]]", "[[site]]"),
        ("# host =", "host ="),
        ("# root = \"/srv/app\"", "root = \".\""),
        ("# default", "default"),
        ("127.0.0.1:8080", "127.0.0.1:0"),
        ("127.0.0.1:9090", "127.0.0.1:0"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let settings = dir.path().join("viral.toml");
    std::fs::write(&settings, text).unwrap();
    let mut server = serve(&settings).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
}
