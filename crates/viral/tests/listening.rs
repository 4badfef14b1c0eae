//! Where the program listens, and what it notes of who comes, as a person with a terminal sees it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod programs;

use std::io::{BufRead as _, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use programs::end;
use rustix::process::{Pid, Signal, kill_process};

const REQUEST: &[u8] =
    b"GET /?token=secret HTTP/1.1\r\nhost: localhost\r\nuser-agent: test\r\nx-forwarded-for: 198.51.100.7\r\nconnection: close\r\n\r\n";

/// A folder with a site in `site`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("site")).unwrap();
    std::fs::write(dir.path().join("site/index.html"), "<!doctype html><title>t</title>").unwrap();
    dir
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viral"));
    command.args(["serve", "site"]).args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server with these arguments, and its first lines.
fn start(folder: &Path, args: &[&str], lines: usize) -> (Child, Vec<String>) {
    let mut server = command(folder, args).spawn().unwrap();
    let said = BufReader::new(server.stdout.as_mut().unwrap()).lines().take(lines).map(Result::unwrap).collect();
    (server, said)
}

fn asked(mut stream: impl Write + std::io::Read) -> String {
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What it says when it does not start.
fn fault(folder: &Path, args: &[&str]) -> String {
    let out = command(folder, args).output().unwrap();
    assert!(!out.status.success());
    String::from_utf8(out.stderr).unwrap()
}

#[test]
fn a_name_and_a_unix_socket_are_listened_on_together_and_all_are_told_and_closed() {
    let dir = folder();
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let args = ["--listen", "localhost:0", "--listen", "unix:v.sock", "--admin-listen", "localhost:0"];
    let (server, said) = start(dir.path(), &args, if has_ipv6 { 5 } else { 3 });
    let addresses: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("listening on http://")).collect();
    assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 }, "{said:?}");
    assert!(said.contains(&"listening on unix:v.sock".to_owned()), "{said:?}");
    for address in &addresses {
        assert!(asked(TcpStream::connect(address).unwrap()).starts_with("HTTP/1.1 200 OK"), "{address}");
    }
    let operators = said.iter().find_map(|line| line.strip_prefix("admin on http://")).unwrap();
    assert!(asked(TcpStream::connect(operators).unwrap()).contains("content-security-policy: default-src 'none'"), "the dashboard");
    let socket = dir.path().join("v.sock");
    assert!(asked(UnixStream::connect(&socket).unwrap()).starts_with("HTTP/1.1 200 OK"));
    let warned = end(server);
    assert_eq!(warned.matches("--trust-proxy unix").count(), 1, "{warned}");
    assert!(!socket.exists() && TcpStream::connect(addresses[0]).is_err());
}

#[test]
fn a_socket_that_a_killed_server_left_is_replaced_and_a_living_one_is_not() {
    let dir = folder();
    let args = ["--listen", "unix:v.sock", "--admin-listen", "off", "--trust-proxy", "unix"];
    let (mut first, _) = start(dir.path(), &args, 1);
    assert!(
        fault(dir.path(), &args)
            .contains("viral: another program listens on v.sock; stop it or choose another socket with --listen unix:PATH")
    );
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(dir.path().join("v.sock").exists());
    let (second, said) = start(dir.path(), &args, 1);
    assert_eq!(said, ["listening on unix:v.sock"]);
    assert!(asked(UnixStream::connect(dir.path().join("v.sock")).unwrap()).starts_with("HTTP/1.1 200 OK"));
    assert!(!end(second).contains("one neighbour"), "it was told whom to believe");
}

#[test]
fn the_settings_file_names_one_place_to_listen_or_several() {
    let dir = folder();
    let file = dir.path().join("viral.toml");
    for (listen, lines) in [("\"127.0.0.1:0\"", 1), ("[\"127.0.0.1:0\", \"unix:a.sock\"]", 2)] {
        std::fs::write(&file, format!("admin-listen = \"off\"\nlisten = {listen}\n")).unwrap();
        let (server, said) = start(dir.path(), &[], lines);
        assert!(said.iter().all(|line| line.starts_with("listening on ")) && said.len() == lines, "{said:?}");
        end(server);
    }
    std::fs::write(&file, "listen = [\"nowhere\"]\n").unwrap();
    assert!(fault(dir.path(), &[]).contains("`nowhere` is neither ADDR:PORT, NAME:PORT nor unix:PATH"));
}

#[test]
fn the_access_log_has_a_line_for_each_answer_and_is_opened_anew_on_a_signal() {
    let dir = folder();
    let args = [
        "--listen",
        "unix:v.sock",
        "--admin-listen",
        "off",
        "--trust-proxy",
        "unix",
        "--access-log",
        "json",
        "--access-log-file",
        "a.log",
        "--access-log-addresses",
    ];
    let (server, _) = start(dir.path(), &args, 1);
    let (socket, log, old) = (dir.path().join("v.sock"), dir.path().join("a.log"), dir.path().join("a.log.1"));
    asked(UnixStream::connect(&socket).unwrap());
    // Whatever was asked before is written before that is answered, or at the end.
    std::fs::rename(&log, &old).unwrap();
    kill_process(Pid::from_child(&server), Signal::USR1).unwrap();
    while !log.exists() {
        std::thread::yield_now();
    }
    asked(UnixStream::connect(&socket).unwrap());
    end(server);
    let said = std::fs::read_to_string(&old).unwrap() + &std::fs::read_to_string(&log).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    for line in said.lines() {
        assert!(line.contains("\"client\":\"198.51.100.7\",\"method\":\"GET\",\"path\":\"/\",\"has_query\":true"), "{line}");
        assert!(line.contains("\"status\":200") && line.contains("\"agent\":\"test\",\"answer\":\"") && !line.contains("secret"), "{line}");
    }
    assert!(!std::fs::read_to_string(&log).unwrap().is_empty(), "the second one is in the new file");
}

#[test]
fn an_access_log_that_cannot_be_or_would_be_served_is_refused() {
    let dir = folder();
    let fault = |log: &str| fault(dir.path(), &["--listen", "127.0.0.1:0", "--admin-listen", "off", "--access-log", log]);
    assert!(fault("site/a.log").contains("lies in the site and would be served"));
    assert!(fault("none/a.log").contains("cannot be written"));
}

#[test]
fn the_access_log_goes_to_stdout_if_it_is_asked_to() {
    let dir = folder();
    let (mut server, said) = start(dir.path(), &["--listen", "127.0.0.1:0", "--admin-listen", "off", "--access-log", "-"], 1);
    asked(TcpStream::connect(said[0].strip_prefix("listening on http://").unwrap()).unwrap());
    let line = BufReader::new(server.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    assert!(line.starts_with("- - - [") && line.contains("\"GET /? HTTP/1.1\" 200 ") && !line.contains("127.0.0.1"), "{line}");
    end(server);
}

#[test]
fn the_access_log_writes_objects_to_stdout_if_only_the_format_is_told() {
    let dir = folder();
    let (mut server, said) = start(dir.path(), &["--listen", "127.0.0.1:0", "--admin-listen", "off", "--access-log", "json"], 1);
    asked(TcpStream::connect(said[0].strip_prefix("listening on http://").unwrap()).unwrap());
    let line = BufReader::new(server.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    assert!(line.contains("\"client\":null") && line.contains("\"status\":200") && line.contains("\"cause\":\"documents\""), "{line}");
    end(server);
    std::fs::write(dir.path().join("viral.toml"), "listen = \"127.0.0.1:0\"\naccess-log-file = \"a.log\"\n").unwrap();
    assert!(fault(dir.path(), &[]).contains("--access-log-file a.log needs --access-log json"));
}

#[test]
fn stun_is_answered_at_the_port_of_the_site_or_a_word_is_said_of_why_not() {
    let dir = folder();
    let (server, said) = start(dir.path(), &["--listen", "127.0.0.1:0"], 3);
    let port = said[0].strip_prefix("listening on http://").unwrap();
    assert_eq!(said[2], format!("stun on {port}"), "{said:?}");
    end(server);

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (server, _) = start(dir.path(), &["--listen", &taken.local_addr().unwrap().to_string()], 2);
    let warned = end(server);
    assert!(warned.contains("STUN is off, since this port cannot be had over UDP"), "{warned}");

    let (server, _) = start(dir.path(), &["--listen", "127.0.0.1:0", "--trust-proxy", "127.0.0.1"], 2);
    let told = end(server);
    assert_eq!(told.matches("STUN is off, since only systemd or a proxy knows").count(), 1, "{told}");

    let at = taken.local_addr().unwrap().to_string();
    let refused = fault(dir.path(), &["--listen", "127.0.0.1:0", "--stun-listen", &at]);
    assert!(
        refused.contains(&format!("STUN cannot be answered on {at} over UDP")) && refused.contains("--stun-listen ADDR:PORT, or `off`"),
        "{refused}"
    );
}
