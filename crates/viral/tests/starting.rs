//! What the program says when it is given a directory that is not what it should be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server of `dir` with these arguments, and its first line.
fn start(dir: &Path, args: &[&str]) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_viral"))
        .args(["serve", ".", "--listen", "127.0.0.1:0"])
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (server, line)
}

/// Ends it; what it said on stderr.
fn end(mut server: Child) -> String {
    server.kill().unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    server.wait().unwrap();
    said
}

/// What it says on stderr when it serves `dir`; it is ended as soon as it listens.
fn said(dir: &Path) -> String {
    end(start(dir, &["--admin-listen", "127.0.0.1:0"]).0)
}

#[test]
fn a_directory_without_an_index_is_served_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    assert!(said(dir.path()).contains("there is no index.html"));
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    assert!(!said(dir.path()).contains("there is no index.html"));
}

/// What it says on stderr of two sessions that come with this header.
fn said_of_sessions(args: &[&str], header: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let (server, line) = start(dir.path(), &[&["--admin-listen", "off"], args].concat());
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    for _ in 0..2 {
        session(address, header);
    }
    end(server)
}

/// A session that comes with this header.
fn session(address: &str, header: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    write!(stream, "GET /.viral/ws HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n{header}\r\n").unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
    stream
}

#[test]
fn a_line_about_a_session_names_its_peer() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let (server, line) = start(dir.path(), &["--admin-listen", "off", "--log", "viral_server=debug"]);
    let mut stream = session(line.trim().strip_prefix("listening on http://").unwrap(), "");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    // A masked text frame with one letter, which is no signal (RFC 6455 section 5.2).
    stream.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("malformed") {
        let mut part = [0; 256];
        let len = stream.read(&mut part).unwrap();
        assert_ne!(len, 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend(&part[..len]);
    }
    let said = end(server);
    let line = said.lines().find(|line| line.contains("malformed signal")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("session{peer="), "{line}");
}

#[test]
fn a_proxy_that_hides_its_visitors_is_warned_about_once_with_the_flag_to_set() {
    let warnings = |said: &str| said.lines().filter(|line| line.contains("WARN") && line.contains("--trust-proxy")).count();
    let forwarded = "x-forwarded-for: 198.51.100.7\r\n";
    let trusted: &[&str] = &["--trust-proxy", "127.0.0.1"];
    for (args, header, expected) in [(&[][..], forwarded, 1), (&[], "", 0), (trusted, forwarded, 0), (trusted, "", 1)] {
        let said = said_of_sessions(args, header);
        assert_eq!(warnings(&said), expected, "{args:?} {header:?}: {said}");
    }
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

#[test]
fn a_server_behind_in_the_clear_needs_no_certificates() {
    let start = |upstream: &str| {
        Command::new(env!("CARGO_BIN_EXE_viral"))
            .args(["proxy", upstream, "--listen", "127.0.0.1:0", "--admin-listen", "off", "--stun-listen", "off"])
            // As in an image of a container that holds the program alone.
            .env("SSL_CERT_FILE", "/nowhere/certificates.pem")
            .env_remove("SSL_CERT_DIR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // Nobody listens on the port of tcpmux: that is found out at the first request.
    let mut server = start("http://127.0.0.1:1");
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said = end(server);
    assert!(line.starts_with("listening on http://"), "{line}{said}");
    let refused = start("https://127.0.0.1:1").wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("install ca-certificates"), "{said}");
}
