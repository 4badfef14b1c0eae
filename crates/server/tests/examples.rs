//! The examples, run as they are: each serves a site, and what else it says it does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running example, ended when dropped.
struct Example(Child, String);

impl Example {
    fn start(name: &str, site: &std::path::Path) -> Self {
        let test = std::env::current_exe().unwrap();
        let built: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
        let mut child = Command::new(&built).arg("127.0.0.1:0").arg(site).stdout(Stdio::piped()).spawn().expect("examples are built first");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self(child, address)
    }

    /// The whole answer to a browser that opens `path`.
    fn visit(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        let fetch = "sec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\n";
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n{fetch}connection: close\r\n\r\n", self.1).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_example_serves_a_site_and_what_is_its_own() {
    let site = tempfile::tempdir().unwrap();
    std::fs::write(site.path().join("index.html"), "<!doctype html><title>An app</title>").unwrap();
    for (name, path, own) in
        [("axum", "/api/hello", "hello"), ("layer", "/api/time", "the program answers /api/time"), ("static", "/none", "404 Not Found")]
    {
        let example = Example::start(name, site.path());
        let page = example.visit("/");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("viral-answer: full") && page.contains("An app"), "{name}: {page}");
        let other = example.visit(path);
        assert!(other.contains(own), "{name}: {other}");
    }
}

#[test]
fn an_example_fits_a_screen() {
    for name in ["axum", "layer", "static"] {
        let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"))).unwrap();
        assert!(text.lines().count() < 30, "{name}");
    }
}
