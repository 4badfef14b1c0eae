//! Servers that meet in a Redis: over TLS, and with clocks that differ.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A Redis that keeps nothing; its port, which the last of the options names.
fn redis(folder: &Path, options: &[&str]) -> (Program, u16) {
    let port = free_port();
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).args(options).arg(port.to_string());
    let running = redis.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let program = Program(running.expect("redis-server runs: on Debian it is in the package redis-server"));
    for _ in 0..250 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return (program, port);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("redis-server does not listen");
}

/// A Redis that only speaks TLS; its port.
fn redis_over_tls(folder: &Path) -> (Program, u16) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("redis.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("redis.key"), key.serialize_pem()).unwrap();
    let certificate = ["--tls-cert-file", "redis.pem", "--tls-key-file", "redis.key", "--tls-ca-cert-file", "redis.pem"];
    redis(folder, &[&["--tls-auth-clients", "no", "--port", "0"], &certificate[..], &["--tls-port"]].concat())
}

/// A server with a clock of its own.
struct ClockedServer {
    program: Program,
    address: SocketAddr,
    log: BufReader<ChildStderr>,
}

impl ClockedServer {
    /// Its log is read on, or it would wait for a reader.
    fn until_it_knows_another(self) -> Program {
        let mut lines = self.log.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("a server of the cluster is there")), "it meets the other");
        std::thread::spawn(move || lines.for_each(drop));
        self.program
    }
}

/// A server whose clock is so far ahead, as `faketime` has it.
fn server_with_clock(folder: &Path, ahead: &str, cluster: &str) -> ClockedServer {
    // `faketime` itself would start the server as a child that outlives it.
    let told =
        Command::new("faketime").args(["-f", ahead, "env"]).output().expect("faketime runs: on Debian it is in the package faketime");
    let told = String::from_utf8(told.stdout).unwrap();
    let library = told.lines().find_map(|line| line.strip_prefix("LD_PRELOAD=")).expect("it names its library");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_viral"));
    serve.args(["serve", "site", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--cluster", cluster]);
    // Only what people set differs, as between machines.
    serve.envs([("LD_PRELOAD", library), ("FAKETIME", ahead), ("DONT_FAKE_MONOTONIC", "1"), ("VIRAL_LOG", "info")]);
    serve.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program(serve.spawn().unwrap());
    let mut told = BufReader::new(program.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = told.find_map(|line| line.strip_prefix("listening on http://")?.parse().ok()).expect("it says where it listens");
    std::thread::spawn(move || told.for_each(drop));
    let log = BufReader::new(program.0.stderr.take().unwrap());
    ClockedServer { program, address, log }
}

/// Hour and minute of the server's clock, by the date of an answer.
fn minute_at(address: SocketAddr) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"HEAD / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let date = BufReader::new(connection).lines().map_while(Result::ok).find_map(|line| Some(line.strip_prefix("date: ")?.to_owned()));
    date.expect("answers have a date").split(' ').nth(4).unwrap()[..5].to_owned()
}

/// Gives each connection to the next server in turn, as a load balancer without stickiness; its address.
fn balanced(servers: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (visitor, server) in listener.incoming().map_while(Result::ok).zip(servers.iter().cycle()) {
            let server = TcpStream::connect(server).unwrap();
            for (from, to) in [(&visitor, &server), (&server, &visitor)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address
}

/// The first line about the cluster that a server logs.
fn said_of_cluster(folder: &Path, cluster: &str, authority: Option<&str>) -> String {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_viral"));
    serve.args(["serve", "site", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--cluster", cluster]);
    serve.current_dir(folder).env_remove("VIRAL_LOG").env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    serve.envs(authority.map(|file| ("SSL_CERT_FILE", folder.join(file))));
    let mut server = Program(serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let log = BufReader::new(server.0.stderr.take().unwrap());
    log.lines().map_while(Result::ok).find(|line| line.contains("cluster")).expect("it says something of the cluster")
}

#[test]
fn a_redis_over_tls_is_believed_by_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("site")).unwrap();
    std::fs::write(dir.path().join("site/index.html"), "<!doctype html><title>t</title>").unwrap();
    let (_redis, port) = redis_over_tls(dir.path());
    let cluster = format!("rediss://127.0.0.1:{port}");
    let believed = said_of_cluster(dir.path(), &cluster, Some("redis.pem"));
    assert!(believed.contains("joined the cluster"), "{believed}");
    let unknown = said_of_cluster(dir.path(), &cluster, None);
    assert!(unknown.contains("goes on alone") && unknown.contains("certificate"), "{unknown}");
}

#[test]
fn servers_whose_clocks_are_ten_minutes_apart_feed_each_others_visitors() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("site")).unwrap();
    std::fs::write(dir.path().join("site/index.html"), "<!doctype html><title>t</title><script src=\"a.js\"></script>").unwrap();
    let statements = (0..60_000u64).map(|number| format!("x({});", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    std::fs::write(dir.path().join("site/a.js"), statements.collect::<String>()).unwrap();
    let (_redis, port) = redis(dir.path(), &["--port"]);
    let cluster = format!("redis://127.0.0.1:{port}");
    let servers = ["+10m", "+0m"].map(|ahead| server_with_clock(dir.path(), ahead, &cluster));
    let minutes = servers.each_ref().map(|server| minute_at(server.address));
    assert_ne!(minutes[0], minutes[1], "the clocks differ");
    let url = format!("http://{}/", balanced(servers.iter().map(|server| server.address).collect()));
    let _running = servers.map(ClockedServer::until_it_knows_another);
    let get = |stay_s: &str| {
        let mut get = Command::new(env!("CARGO_BIN_EXE_viral"));
        get.args(["get", &url, "--json", "--stay", stay_s]).env_remove("VIRAL_LOG").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Program(get.spawn().unwrap());
        let report = BufReader::new(child.0.stdout.take().unwrap());
        (child, report)
    };
    let (_seeder, _) = get("60");
    // Its offers are posted, and told to the other server, once it has everything.
    let fed = (0..20).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        let (_visitor, report) = get("0");
        let report = report.lines().map_while(Result::ok).next().expect("it reports");
        report.contains("\"answer\":\"thin\"") && report.contains("\"bytes_from_origin\":0,")
    });
    assert!(fed, "nobody was fed by the visitor of the other server");
}
