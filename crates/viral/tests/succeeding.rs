//! A successor on the same sockets: nobody is refused while one process goes and another one comes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server, and what it and its successors say on stderr, line by line.
struct Server {
    process: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    successors: Vec<Pid>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves none behind.
        let _ = self.process.kill();
        for successor in &self.successors {
            let _ = kill_process(*successor, Signal::KILL);
        }
    }
}

/// Whoever goes on until then stops when this is dropped, by a failure, too.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html><title>t</title>").unwrap();
    dir
}

impl Server {
    fn start(program: &Path, dir: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["serve", ".", "--listen", "127.0.0.1:0"]).args(words).current_dir(dir).env_remove("VIRAL_LOG");
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        // What a successor says there is read, too.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let (says, lines) = channel();
        let err = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
        Self { process, address, lines, successors: Vec::new() }
    }

    /// The next line that says this.
    fn says(&self, words: &str) -> String {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else { panic!("not said: {words}; but {before:#?}") };
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
    }

    /// Asks for a successor of the process that serves; that one.
    fn is_succeeded(&mut self) -> Pid {
        let serves = self.successors.last().copied().unwrap_or(Pid::from_child(&self.process));
        kill_process(serves, Signal::USR2).unwrap();
        let line = self.says("the successor serves");
        let number = line.split("process=").nth(1).unwrap().split_whitespace().next().unwrap();
        let successor = Pid::from_raw(number.parse().unwrap()).unwrap();
        self.successors.push(successor);
        successor
    }
}

fn answer(mut stream: impl std::io::Read + std::io::Write, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_gone(process: Pid) {
    let begun = std::time::Instant::now();
    // One that nobody has asked how it ended is gone, too.
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while is_there() {
        assert!(begun.elapsed() < DEADLINE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nobody_is_refused_while_a_successor_comes_and_it_is_the_new_program() {
    let (dir, programs) = (folder(), tempfile::tempdir().unwrap());
    // As `current` leads to the version that is installed.
    let program = programs.path().join("viral");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_viral"), &program).unwrap();
    let mut server = Server::start(&program, dir.path(), &["--admin-listen", "127.0.0.1:0"]);
    let address = server.address;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stops = Stops(&is_over);
        let asking = scope.spawn(|| {
            let mut count = 0;
            while !is_over.load(Relaxed) {
                let answer = answer(TcpStream::connect(address).unwrap(), "/").unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("<title>"), "{answer}");
                count += 1;
            }
            count
        });
        let stun = |request: u8| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            // A Binding request (RFC 8489, section 5).
            let head = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
            socket.send_to(&[head.as_slice(), &[request; 12]].concat(), address).unwrap();
            socket.recv(&mut [0; 100]).unwrap()
        };
        assert!(stun(1) > 20);
        std::fs::remove_file(&program).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_viral"), &program).unwrap();
        let first = server.is_succeeded();
        assert!(server.process.wait().unwrap().success(), "it ends by itself, when its answers are finished");
        assert!(stun(2) > 20, "the successor answers STUN at the same port");
        // And that one has a successor, too.
        let second = server.is_succeeded();
        is_gone(first);
        drop(stops);
        assert!(asking.join().unwrap() > 3);
        kill_process(second, Signal::TERM).unwrap();
        is_gone(second);
    });
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_successor_that_cannot_serve_changes_nothing() {
    let (dir, settings) = (folder(), tempfile::tempdir().unwrap());
    let file = settings.path().join("viral.toml");
    std::fs::write(&file, "").unwrap();
    let mut server =
        Server::start(Path::new(env!("CARGO_BIN_EXE_viral")), dir.path(), &["--admin-listen", "off", "--config", file.to_str().unwrap()]);
    std::fs::write(&file, "no-such-setting = 1\n").unwrap();
    kill_process(Pid::from_child(&server.process), Signal::USR2).unwrap();
    server.says("no-such-setting");
    let said = server.says("there is no successor; this process goes on");
    assert!(said.contains("it ended before it served"), "{said}");
    assert!(answer(TcpStream::connect(server.address).unwrap(), "/").unwrap().starts_with("HTTP/1.1 200 OK"));
    // The operator mends the file and asks again.
    std::fs::write(&file, "").unwrap();
    let successor = server.is_succeeded();
    assert!(server.process.wait().unwrap().success());
    kill_process(successor, Signal::TERM).unwrap();
    is_gone(successor);
}

#[test]
fn an_end_takes_a_successor_with_it_that_does_not_serve_yet() {
    let (dir, programs) = (folder(), tempfile::tempdir().unwrap());
    let (program, number) = (programs.path().join("viral"), programs.path().join("number"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_viral"), &program).unwrap();
    let mut server = Server::start(&program, dir.path(), &["--admin-listen", "off"]);
    // A new version that is not ready for minutes.
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, format!("#!/bin/sh\necho $$ > {}.new\nmv {0}.new {0}\nexec sleep 600\n", number.display())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    kill_process(Pid::from_child(&server.process), Signal::USR2).unwrap();
    let begun = std::time::Instant::now();
    let successor = loop {
        if let Ok(number) = std::fs::read_to_string(&number) {
            break Pid::from_raw(number.trim().parse().unwrap()).unwrap();
        }
        assert!(begun.elapsed() < DEADLINE, "nothing was started");
        std::thread::sleep(Duration::from_millis(10));
    };
    server.successors.push(successor);
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    assert!(server.process.wait().unwrap().success());
    is_gone(successor);
}

#[test]
fn the_file_of_a_unix_socket_goes_with_the_last_who_listens() {
    let (dir, run) = (folder(), tempfile::tempdir().unwrap());
    let path = run.path().join("v.sock");
    let (unix, settings) = (format!("unix:{}", path.display()), run.path().join("viral.toml"));
    std::fs::write(&settings, "").unwrap();
    let words = ["--listen", &unix, "--admin-listen", "off", "--trust-proxy", "unix", "--config", settings.to_str().unwrap()];
    let mut server = Server::start(Path::new(env!("CARGO_BIN_EXE_viral")), dir.path(), &words);
    // This one has the sockets already when it finds that it cannot serve.
    std::fs::write(&settings, "tls-cert = \"/nowhere.pem\"\ntls-key = \"/nowhere.pem\"\n").unwrap();
    kill_process(Pid::from_child(&server.process), Signal::USR2).unwrap();
    server.says("there is no successor");
    assert!(answer(UnixStream::connect(&path).unwrap(), "/").unwrap().starts_with("HTTP/1.1 200 OK"));
    std::fs::write(&settings, "").unwrap();
    let successor = server.is_succeeded();
    assert!(server.process.wait().unwrap().success());
    assert!(answer(UnixStream::connect(&path).unwrap(), "/").unwrap().starts_with("HTTP/1.1 200 OK"));
    kill_process(successor, Signal::TERM).unwrap();
    is_gone(successor);
    assert!(!path.exists());
}

/// A socket of a WebTorrent client.
struct Announcing(TcpStream);

impl Announcing {
    fn at(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let upgrade =
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET /.viral/announce HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Says that it is still there; how many seeders it is told of.
    fn announce(&mut self) -> u64 {
        let text =
            r#"{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"bbbbbbbbbbbbbbbbbbbb","numwant":0,"offers":[],"left":0}"#;
        // A text frame with a mask of zeros (RFC 6455, section 5.2).
        let head = [0x81, 0x80 | 126, 0, u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        self.0.write_all(&[head.as_slice(), text.as_bytes()].concat()).unwrap();
        let frame = self.frame();
        assert_eq!(frame.0, 0x81, "{}", String::from_utf8_lossy(&frame.1));
        let said: serde_json::Value = serde_json::from_slice(&frame.1).unwrap();
        said["complete"].as_u64().unwrap()
    }

    /// The next frame from the server: its first byte, and what is in it.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut len = usize::from(head[1]);
        if len == 126 {
            let mut more = [0; 2];
            self.0.read_exact(&mut more).unwrap();
            len = usize::from(u16::from_be_bytes(more));
        }
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }
}

#[test]
fn sockets_of_webtorrent_clients_stay_and_go_at_the_end() {
    let dir = folder();
    let words = ["--admin-listen", "off", "--webtorrent", "--webtorrent-open", "--webtorrent-origin", "*"];
    let mut server = Server::start(Path::new(env!("CARGO_BIN_EXE_viral")), dir.path(), &words);
    let mut old = Announcing::at(server.address);
    assert_eq!(old.announce(), 1);
    let successor = server.is_succeeded();
    assert_eq!(old.announce(), 1, "it is served where it was");
    // The predecessor may take one that comes at the very moment when it stops.
    let begun = std::time::Instant::now();
    while Announcing::at(server.address).announce() > 1 {
        assert!(begun.elapsed() < DEADLINE, "who comes now is the successor's");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Nobody waits for the rest of the minutes.
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    let (kind, reason) = old.frame();
    assert_eq!((kind, &reason[..2]), (0x88, 1001_u16.to_be_bytes().as_slice()));
    assert!(server.process.wait().unwrap().success());
    kill_process(successor, Signal::TERM).unwrap();
    is_gone(successor);
}
