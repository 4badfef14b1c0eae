//! Certificates as an operator gives or orders them: with Pebble, a certificate authority for tests, where it is installed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a certificate may take: Pebble gives it within seconds.
const ORDER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long pebble and its names may take to begin.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How often they begin with other ports, because some other program took one of theirs meanwhile.
const STARTS_MAX: u32 = 5;

/// Asks for the address of `a.example` (RFC 1035 section 4.1).
const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01";

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viral"));
    command.args(["serve", "site", "--admin-listen", "off"]).args(args);
    command.current_dir(folder).env_remove("STATE_DIRECTORY").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("site")).unwrap();
    std::fs::write(dir.path().join("site/index.html"), "<!doctype html><title>t</title>").unwrap();
    dir
}

fn fault(folder: &Path, args: &[&str]) -> String {
    let out = command(folder, &[&["--listen", "127.0.0.1:0"], args].concat()).output().unwrap();
    assert!(!out.status.success(), "{args:?}");
    String::from_utf8(out.stderr).unwrap()
}

/// One that is free for TCP and for UDP.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}

/// Programs that end with the test.
struct Programs(Vec<Child>);

impl Drop for Programs {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn openssl(folder: &Path, args: &[&str]) -> Option<String> {
    let out = Command::new("openssl").args(args).current_dir(folder).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

/// Pebble, which proves names at this port; its directory. None where a program is missing.
fn authority(folder: &Path, tls_port: u16) -> Option<(Programs, String)> {
    openssl(folder, &["version"])?;
    for _ in 0..STARTS_MAX {
        let (programs, listen, names) = begin(folder, tls_port)?;
        if is_up(listen, names) {
            return Some((programs, format!("https://127.0.0.1:{listen}/dir")));
        }
    }
    panic!("pebble and its names do not begin; is this machine out of ports?")
}

/// Whether it listens and its names answer in time. Each takes whichever port is free, and somebody else may have been faster.
fn is_up(listen: u16, names: u16) -> bool {
    let began = Instant::now();
    let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
    resolver.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while began.elapsed() < START_TIMEOUT {
        let is_listening = TcpStream::connect(("127.0.0.1", listen)).is_ok();
        if is_listening && resolver.send_to(QUESTION, ("127.0.0.1", names)).is_ok() && resolver.recv(&mut [0; 512]).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Starts the programs: their ports, and that of their names.
fn begin(folder: &Path, tls_port: u16) -> Option<(Programs, u16, u16)> {
    let key = rcgen::KeyPair::generate().unwrap();
    let root = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("root.pem"), root.pem()).unwrap();
    std::fs::write(folder.join("root.key"), key.serialize_pem()).unwrap();
    let (listen, names) = (free_port(), free_port());
    let config = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{listen}"), "managementListenAddress": format!("127.0.0.1:{}", free_port()),
        "certificate": "root.pem", "privateKey": "root.key", "httpPort": free_port(), "tlsPort": tls_port,
    } });
    std::fs::write(folder.join("pebble.json"), config.to_string()).unwrap();
    let mut programs = Programs(Vec::new());
    let mut start = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).env("PEBBLE_VA_NOSLEEP", "1").current_dir(folder).stdin(Stdio::null());
        programs.0.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        Some(())
    };
    let (dns, management) = (format!("127.0.0.1:{names}"), format!("127.0.0.1:{}", free_port()));
    let silent = ["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""];
    start("pebble-challtestsrv", &[&silent[..], &["-dns01", &dns, "-management", &management]].concat())?;
    start("pebble", &["-dnsserver", &dns, "-config", "pebble.json"])?;
    Some((programs, listen, names))
}

#[test]
fn an_https_site_comes_of_one_flag_and_its_certificate_outlives_a_restart() {
    let dir = folder();
    let port = free_port();
    let Some((_programs, directory)) = authority(dir.path(), port) else {
        eprintln!("pebble or openssl is not installed, so that nothing is tried with it; `cargo xtask tools` does that");
        return;
    };
    let listen = format!("127.0.0.1:{port}");
    let args =
        ["--listen", &listen, "--acme", "App.example", "--acme-directory", &directory, "--acme-ca", "root.pem", "--state-dir", "state"];
    let mut shown = Vec::new();
    for is_first in [true, false] {
        let mut server = command(dir.path(), &args).spawn().unwrap();
        let mut first_line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut first_line).unwrap();
        assert_eq!(first_line.trim_end(), format!("listening on https://{listen}"));
        let began = Instant::now();
        let certificate = loop {
            let said = openssl(dir.path(), &["s_client", "-connect", &listen, "-servername", "app.example", "-alpn", "h2"]).unwrap();
            if let Some((_, rest)) = said.split_once("-----BEGIN CERTIFICATE-----") {
                assert!(said.contains("ALPN protocol: h2"), "{said}");
                break rest.split("-----END").next().unwrap_or_default().to_owned();
            }
            assert!(is_first && began.elapsed() < ORDER_TIMEOUT, "{said}");
            std::thread::sleep(Duration::from_millis(100));
        };
        shown.push(certificate);
        kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
        let mut log = String::new();
        server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(server.wait().unwrap().success(), "{log}");
        assert_eq!(log.contains("ordering a certificate"), is_first, "{log}");
    }
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn settings_that_give_no_certificate_say_what_to_give() {
    let dir = folder();
    std::fs::create_dir_all(dir.path().join("state/acme")).unwrap();
    for (args, said) in [
        (&["--acme", "a.example"][..], "say where with --state-dir DIR"),
        (&["--acme", "*.a.example", "--state-dir", "state"], "`*.a.example` is no name for which a certificate can be ordered"),
        (&["--acme", "a.example", "--tls", "self-signed"], "cannot be used with"),
        (&["--acme-contact", "a@b.example"], "give --acme DOMAIN, too"),
        (&["--acme", "a.example", "--acme-contact", "nobody", "--state-dir", "state"], "write it as ops@app.example"),
        (&["--acme", "a.example", "--acme-directory", "http://a.example", "--state-dir", "state"], "https://acme.example/directory"),
        (&["--acme", "a.example", "--acme-ca", "none.pem", "--state-dir", "state"], "give a file in PEM form with --acme-ca"),
        (&["--acme", "a.example", "--state-dir", "site/index.html"], "give a folder that this user may write with --state-dir"),
        (&["--tls-cert", "a.pem", "--tls-cert", "b.pem", "--tls-key", "a.key"], "there are 2 and 1; give tls-cert and tls-key in pairs"),
        (&["--tls-cert", "a.pem", "--tls-key", "a.key"], "a.pem cannot be read"),
        (&["--redirect-listen", "127.0.0.1:0"], "give --acme DOMAIN, or --tls-cert and --tls-key"),
    ] {
        let fault = fault(dir.path(), args);
        assert!(fault.contains(said), "{args:?}: {fault}");
    }
}
