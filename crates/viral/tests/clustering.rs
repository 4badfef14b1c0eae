//! Servers that meet in a Redis over TLS.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
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

/// A Redis that only speaks TLS; its port.
fn redis_over_tls(folder: &Path) -> (Program, u16) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("redis.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("redis.key"), key.serialize_pem()).unwrap();
    let port = free_port();
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", "0", "--tls-port", &port.to_string()]);
    redis.args([
        "--tls-cert-file",
        "redis.pem",
        "--tls-key-file",
        "redis.key",
        "--tls-ca-cert-file",
        "redis.pem",
        "--tls-auth-clients",
        "no",
    ]);
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
