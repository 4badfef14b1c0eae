//! The program under systemd: sockets that it is given, and what it says of its state.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod programs;

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use programs::end;
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// As systemd starts a service: sockets from descriptor 3 on, and the number of the process that they are for.
const START: &str = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve . --listen 127.0.0.1:1 --admin-listen off";

fn start(folder: &Path, socket: OwnedFd, notify: &Path) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", START, env!("CARGO_BIN_EXE_viral")]).current_dir(folder).env("NOTIFY_SOCKET", notify);
    command.stdin(socket).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html><title>t</title>").unwrap();
    dir
}

/// The next state that is told, but for that a start goes on.
fn told(states: &UnixDatagram) -> Vec<String> {
    loop {
        let mut bytes = [0; 4096];
        let len = states.recv(&mut bytes).unwrap();
        let lines: Vec<String> = std::str::from_utf8(&bytes[..len]).unwrap().lines().map(str::to_owned).collect();
        if lines != ["EXTEND_TIMEOUT_USEC=60000000"] {
            return lines;
        }
    }
}

fn status(mut stream: impl std::io::Read + std::io::Write) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn first_line(server: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

#[test]
fn a_given_socket_takes_the_place_of_listen_and_each_state_is_told() {
    let (dir, run) = (folder(), tempfile::tempdir().unwrap());
    let notify = run.path().join("notify");
    let states = UnixDatagram::bind(&notify).unwrap();
    states.set_read_timeout(Some(DEADLINE)).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = start(dir.path(), socket.into(), &notify);
    assert_eq!(first_line(&mut server), format!("listening on http://{address}"));
    assert_eq!(told(&states), ["READY=1"]);
    assert_eq!(status(TcpStream::connect(address).unwrap()), "HTTP/1.1 200 OK");
    kill_process(Pid::from_child(&server), Signal::HUP).unwrap();
    let reloading = told(&states);
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(told(&states), ["READY=1"]);
    let said = end(server);
    assert_eq!(told(&states), ["STOPPING=1"]);
    assert!(said.contains("in place of --listen"), "{said}");
}

#[test]
fn a_given_unix_socket_stays_when_the_program_ends() {
    let (dir, run) = (folder(), tempfile::tempdir().unwrap());
    let (path, notify) = (run.path().join("v.sock"), run.path().join("none"));
    let mut server = start(dir.path(), UnixListener::bind(&path).unwrap().into(), &notify);
    assert_eq!(first_line(&mut server), format!("listening on unix:{}", path.display()));
    assert_eq!(status(UnixStream::connect(&path).unwrap()), "HTTP/1.1 200 OK");
    let said = end(server);
    assert!(path.exists(), "it is systemd's");
    assert!(said.contains("systemd cannot be told"), "{said}");
}

#[test]
fn systemd_follows_a_successor_whose_socket_stays_its_own() {
    let (dir, run) = (folder(), tempfile::tempdir().unwrap());
    let (path, notify) = (run.path().join("v.sock"), run.path().join("notify"));
    let states = UnixDatagram::bind(&notify).unwrap();
    states.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut server = start(dir.path(), UnixListener::bind(&path).unwrap().into(), &notify);
    assert_eq!(told(&states), ["READY=1"]);
    kill_process(Pid::from_child(&server), Signal::USR2).unwrap();
    // The successor itself says nothing before: only the main process is listened to.
    let followed = told(&states);
    assert_eq!(followed[1..], ["READY=1"]);
    let successor = Pid::from_raw(followed[0].strip_prefix("MAINPID=").unwrap().parse().unwrap()).unwrap();
    assert!(server.wait().unwrap().success());
    assert_eq!(status(UnixStream::connect(&path).unwrap()), "HTTP/1.1 200 OK");
    kill_process(successor, Signal::TERM).unwrap();
    assert_eq!(told(&states), ["STOPPING=1"]);
    // Both have ended when nobody has the other end any more.
    let mut said = String::new();
    std::io::Read::read_to_string(&mut server.stderr.take().unwrap(), &mut said).unwrap();
    assert!(path.exists(), "it is systemd's");
    assert!(said.contains("the successor serves"), "{said}");
}

#[test]
fn what_connects_already_is_refused_with_what_to_do() {
    let dir = folder();
    let (one, _other) = UnixStream::pair().unwrap();
    let out = start(dir.path(), one.into(), Path::new("/dev/null")).wait_with_output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success() && said.contains("give ListenStream= and Accept=no"), "{said}");
}
