//! How the program ends, as whoever supervises it sees it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Of starts whose handlers come after the announcement about one in five is killed.
const STARTS: usize = 25;

/// Bytes of a file that the systems of both ends do not take into their buffers: its answer is under way until somebody reads it.
const LARGE_LEN: usize = 64 << 20;

/// Far longer than anything here takes that does not wait for a client.
const SOON: Duration = Duration::from_secs(5);

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

/// A folder with a page and a large file.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    std::fs::write(dir.path().join("large.bin"), vec![7; LARGE_LEN]).unwrap();
    dir
}

/// A server in the middle of an answer.
struct Answering {
    server: Child,
    address: SocketAddr,
    /// Of which the head was read.
    answer: BufReader<TcpStream>,
    said: Lines<BufReader<ChildStderr>>,
}

impl Answering {
    fn start(dir: &Path) -> Self {
        let (mut server, line) = start_in(dir, Stdio::piped());
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        let mut answer = BufReader::new(asked(address, "/large.bin"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            answer.read_line(&mut head).unwrap();
        }
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let said = BufReader::new(server.stderr.take().unwrap()).lines();
        Self { server, address, answer, said }
    }

    /// Tells the server to end, and returns once it said that it does.
    fn end(&mut self) {
        kill_process(Pid::from_child(&self.server), Signal::TERM).unwrap();
        assert!(self.said.any(|line| line.unwrap().contains("a second signal ends at once")));
    }
}

/// A connection on which this path was asked for.
fn asked(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    stream
}

/// The status of the answer to this path.
fn status(address: SocketAddr, path: &str) -> String {
    let mut line = String::new();
    BufReader::new(asked(address, path)).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How it ended; one that goes on is ended here.
fn ended(server: &mut Child) -> ExitStatus {
    let began = Instant::now();
    while began.elapsed() < SOON {
        if let Some(status) = server.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("it waits on");
}

#[test]
fn a_hangup_withdraws_what_was_removed_and_ends_nothing() {
    let dir = site();
    std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
    let Answering { mut server, address, mut answer, said } = Answering::start(dir.path());
    assert_eq!(status(address, "/secret.txt"), "200");
    std::fs::remove_file(dir.path().join("secret.txt")).unwrap();
    kill_process(Pid::from_child(&server), Signal::HUP).unwrap();
    let mut said = said;
    assert!(said.any(|line| line.unwrap().contains("reading the site anew")));
    until("the file is still there", || status(address, "/secret.txt") == "404");
    let mut rest = Vec::new();
    answer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), LARGE_LEN, "the answer that was under way");
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(server.wait().unwrap().success(), "the end it was told");
}

#[test]
fn an_end_takes_no_new_connection_finishes_the_answer_under_way_and_says_success() {
    let dir = site();
    let mut running = Answering::start(dir.path());
    running.end();
    let address = running.address;
    until("a new connection is taken", || TcpStream::connect(address).is_err());
    assert!(running.server.try_wait().unwrap().is_none(), "it waits for the answer");
    let mut rest = Vec::new();
    running.answer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), LARGE_LEN);
    assert_eq!(running.server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once_in_the_middle_of_an_answer() {
    let dir = site();
    for second in [Signal::TERM, Signal::INT] {
        let mut running = Answering::start(dir.path());
        running.end();
        assert!(running.server.try_wait().unwrap().is_none(), "it waits for the answer");
        kill_process(Pid::from_child(&running.server), second).unwrap();
        assert_eq!(ended(&mut running.server).code(), Some(130));
    }
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

#[test]
fn a_log_that_nobody_reads_any_more_holds_up_no_end() {
    let dir = site();
    let (mut server, line) = start_in(dir.path(), Stdio::piped());
    drop(server.stderr.take());
    // What it logs at each of these is lost.
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    until("the page is answered", || status(address, "/") == "200");
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert!(ended(&mut server).success());
}

#[test]
fn a_connection_that_has_only_just_come_is_answered() {
    let dir = site();
    let (mut server, line) = start_in(dir.path(), Stdio::null());
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse::<SocketAddr>().unwrap();
    let mut first = TcpStream::connect(address).unwrap();
    // It is accepted before this one, which is answered.
    let mut second = asked(address, "/index.html");
    second.read_exact(&mut [0; 12]).unwrap();
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    // Nobody is accepted any more: the end has begun.
    while TcpStream::connect(address).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    first.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(server.wait().unwrap().success());
}
