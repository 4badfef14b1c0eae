//! What a client that does nothing costs, in memory of this process. Alone in its process, and one measure after the other.
//!
//! What ends gives its memory back to the heap and not to the system, so that whatever comes next would seem to cost nothing. So nothing that was measured
//! ends before all is, and before the first measure the heap is filled until the process is seen to grow by as much as is taken.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use viral_server::config::Config;
use viral_server::{Source, Viral};
use viral_wire::signal::{PeerToTracker, ReadyOffer, encode};
use viral_wire::{Description, Digest};

/// Clients of each kind. Each has two descriptors of this process.
const CLIENTS: usize = 300;

/// Sessions: enough that a page more or less of the heap means nothing.
const SESSIONS: usize = 1000;

/// Descriptors that all of them need, those of the server's own, and the quarter that it spares.
const DESCRIPTORS: u64 = 11_000;

/// Larger than what the systems of both ends take into their buffers, and on disk, not in memory.
const LARGE_LEN: usize = 32 << 20;

/// Messages of a session that reads nothing of what it is told: nearly as many as it may send at once, each with a reply.
const UNREAD: usize = 100;

/// Offers that a seeder leaves.
const OFFERS: u32 = 4;

/// Bytes of memory that this process has for itself: pages of programs and files are not among them.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Fills what is free of the heap of every thread, and shows that a measure tells 16 KiB a client to within an eighth.
async fn fill_heap() -> Vec<Vec<u8>> {
    let mut held = Vec::new();
    for _ in 0..20 {
        let before = resident();
        let blocks = (0..SESSIONS).map(|_| tokio::spawn(async { vec![1_u8; 16 << 10] }));
        for block in blocks.collect::<Vec<_>>() {
            held.push(block.await.unwrap());
        }
        let each = resident().saturating_sub(before) / SESSIONS;
        if (14 << 10..=18 << 10).contains(&each) {
            return held;
        }
    }
    panic!("the memory that is taken is not seen");
}

/// A client that says something, waits for an answer that ends so, and says more.
async fn client(address: SocketAddr, says: &[u8], awaits: &[u8], more: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(says).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(awaits) {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(more).await.unwrap();
    stream
}

/// Bytes that each of many such clients costs, and the clients.
async fn cost(count: usize, address: SocketAddr, (says, awaits, more): (&[u8], &[u8], &[u8])) -> (usize, Vec<TcpStream>) {
    let mut clients = Vec::with_capacity(2 * count);
    // The first ones pay for what all share, such as the threads that read files.
    for _ in 0..count / 10 {
        clients.push(client(address, says, awaits, more).await);
    }
    settle().await;
    let before = resident();
    for _ in 0..count {
        clients.push(client(address, says, awaits, more).await);
    }
    settle().await;
    (resident().saturating_sub(before) / count, clients)
}

/// Nothing tells when the server has done what it can for a client that says nothing more.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// A text frame as a client sends it (RFC 6455 section 5.2), with a mask that changes nothing.
fn frame(signal: &PeerToTracker) -> Vec<u8> {
    frame_of(&encode(signal))
}

fn frame_of(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    let head = match u8::try_from(len) {
        Ok(short) if short < 126 => vec![0x81, 0x80 | short],
        _ => [&[0x81, 0x80 | 126], &len.to_be_bytes()[..]].concat(),
    };
    [&head[..], &[0; 4], text.as_bytes()].concat()
}

/// What a seeder says: for which page it is there, and how it can be reached.
fn registration() -> Vec<u8> {
    let fingerprint = Digest::of(b"seeder").to_string();
    let candidates = "\"u|192.0.2.7|50001|7vh3c|h\",\"u|192.0.2.8|50001|7vh3b|h\",\"u|198.51.100.7|50001|1t4p|s\"";
    let text = format!("[\"ufra\",\"{}\",\"{fingerprint}\",\"actpass\",262144,[{candidates}],[]]", "p".repeat(24));
    let description = Description::parse(&text).unwrap();
    let offers = (1..=OFFERS).map(|offer| ReadyOffer { offer, description: description.clone() }).collect();
    let register = PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 4 };
    [frame(&register), frame(&PeerToTracker::Offers { offers })].concat()
}

/// The cookie with which a session may register for the page.
async fn ticket(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asked = "HEAD / HTTP/1.1\r\nhost: a\r\nsec-fetch-dest: empty\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let cookies = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
    cookies.filter(|cookie| cookie.starts_with("viral-join=")).map(str::to_owned).next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_nothing_cost_little() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(DESCRIPTORS);
    assert!(most >= DESCRIPTORS, "let this test open {DESCRIPTORS} files: `ulimit -Hn` is {most}");
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS.max(limit.current.unwrap_or(0))), maximum: limit.maximum }).unwrap();

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html><title>t</title>").unwrap();
    std::fs::write(dir.path().join("large.bin"), vec![7; LARGE_LEN]).unwrap();
    let viral = Viral::open(Source::Directory(dir.path().to_owned()), &Config { min_app_bytes: 0, ..Config::default() }).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = viral.clone();
    tokio::spawn(async move { serving.serve(vec![listener.into()], Vec::new()).await });

    let ticket = ticket(address).await;
    let upgrade = format!(
        "GET /.viral/ws HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncookie: {ticket}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(31 << 10));
    let download = "GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n";
    let held = fill_heap().await;
    let (session, sessions) = cost(SESSIONS, address, (upgrade.as_bytes(), b"\r\n\r\n", b"")).await;
    let (seeder, seeders) = cost(SESSIONS, address, (upgrade.as_bytes(), b"\r\n\r\n", &registration())).await;
    let unread = [registration(), frame_of("{\"kind\":\"dance\"}").repeat(UNREAD)].concat();
    let (deaf, deafs) = cost(SESSIONS, address, (upgrade.as_bytes(), b"\r\n\r\n", &unread)).await;
    let asked = tokio::time::timeout(Duration::from_secs(1), self::ticket(address)).await;
    assert!(asked.is_ok(), "a page is answered beside a thousand that read nothing");
    let (download, downloads) = cost(CLIENTS, address, (download.as_bytes(), b"\r\n\r\n", b"")).await;
    // Last, for it is given ten seconds.
    let (head, heads) = cost(CLIENTS, address, (head.as_bytes(), b"", b"")).await;
    let said = format!(
        "a session {session}, a seeder {seeder}, one that reads nothing {deaf}, an unfinished head {head}, a download that nobody reads {download} bytes"
    );
    for clients in [&sessions, &seeders, &deafs, &downloads, &heads] {
        let is_there = |client: &&TcpStream| match client.try_read(&mut [0]) {
            Ok(len) => len > 0,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        };
        assert_eq!(clients.iter().filter(is_there).count(), clients.len(), "all that was measured is still there: {said}");
    }
    eprintln!("{said}");
    // Less than this no session can cost: the measure would be wrong.
    assert!((2 << 10..=16 << 10).contains(&session), "{said}");
    assert!((session..=16 << 10).contains(&seeder), "{said}");
    // What waits for them is the system's to keep.
    assert!(deaf <= 24 << 10, "{said}");
    assert!((31 << 10..=80 << 10).contains(&head), "{said}");
    assert!((16 << 10..=112 << 10).contains(&download), "{said}");
    drop(held);
}
