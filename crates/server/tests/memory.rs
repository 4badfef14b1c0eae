//! What a client that does nothing costs, in memory of this process. Alone in its process, and one measure after the other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use viral_server::Viral;
use viral_server::config::Config;
use viral_server::files::Source;

/// Clients of each kind: twice as many descriptors in this process, under the usual limit of 1,024.
const CLIENTS: usize = 300;

/// Larger than what the systems of both ends take into their buffers, and on disk, not in memory.
const LARGE_LEN: usize = 32 << 20;

/// Bytes of memory that this process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

async fn client(address: SocketAddr, says: &[u8], awaits: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(says).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(awaits) {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream
}

/// Bytes that each of many such clients costs.
async fn cost(address: SocketAddr, says: &[u8], awaits: &[u8]) -> usize {
    // The first ones pay for what all share, such as the threads that read files.
    let first = client(address, says, awaits).await;
    settle().await;
    let before = resident();
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        clients.push(client(address, says, awaits).await);
    }
    settle().await;
    let cost = resident().saturating_sub(before) / CLIENTS;
    drop((first, clients));
    settle().await;
    cost
}

/// Nothing tells when the server has done what it can for a client that says nothing more.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_nothing_cost_little() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html><title>t</title>").unwrap();
    std::fs::write(dir.path().join("large.bin"), vec![7; LARGE_LEN]).unwrap();
    let viral = Viral::open(Source::Directory(dir.path().to_owned()), &Config::default()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = viral.clone();
    tokio::spawn(async move { serving.serve(vec![listener], None).await });

    let upgrade = format!(
        "GET /.viral/ws HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let session = cost(address, upgrade.as_bytes(), b"\r\n\r\n").await;
    let head = cost(address, format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(31 << 10)).as_bytes(), b"").await;
    let download = cost(address, b"GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n", b"\r\n\r\n").await;
    let said = format!("a session {session}, an unfinished head {head}, a download that nobody reads {download} bytes");
    assert!(session <= 16 << 10, "{said}");
    assert!(head <= 80 << 10, "{said}");
    assert!(download <= 112 << 10, "{said}");
}
