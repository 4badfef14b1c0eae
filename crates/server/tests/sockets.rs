//! What only a real socket shows: WebSocket handshakes, goodbyes, and that the counted bytes are the sent bytes. Loopback only.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use viral_server::config::Config;
use viral_server::{EmbeddedFile, Source, Viral};

#[path = "sockets/announcing.rs"]
mod announcing;
#[path = "sockets/counting.rs"]
mod counting;
#[path = "sockets/ending.rs"]
mod ending;
#[path = "sockets/flooding.rs"]
mod flooding;
#[path = "sockets/proxied.rs"]
mod proxied;

/// More than the system takes into its buffers.
const LARGE_LEN: usize = 32 << 20;

struct Server {
    viral: Viral,
    address: SocketAddr,
    admin: SocketAddr,
    running: JoinHandle<()>,
}

async fn server() -> Server {
    server_with(Config { min_app_bytes: 0, ..Config::default() }).await
}

async fn server_with(config: Config) -> Server {
    server_of("<!doctype html><title>t</title>", config).await
}

/// A server whose page is this.
async fn server_of(page: &'static str, config: Config) -> Server {
    let files = [("index.html", page), ("app.js", "1")];
    let files = files.map(|(path, body)| EmbeddedFile { path: path.to_owned(), body: Bytes::from_static(body.as_bytes()) });
    let large = EmbeddedFile { path: "large.bin".to_owned(), body: vec![7; LARGE_LEN].into() };
    let viral = Viral::open(Source::Embedded(files.into_iter().chain([large]).collect()), &config).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, admin) = (listener.local_addr().unwrap(), admin_listener.local_addr().unwrap());
    let serving = viral.clone();
    let running = tokio::spawn(async move { serving.serve(vec![listener.into()], vec![admin_listener.into()]).await });
    Server { viral, address, admin, running }
}

/// Sends a request and reads until the other side closes.
async fn exchange(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut out = Vec::new();
    stream.read_to_end(&mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

async fn stats(server: &Server) -> serde_json::Value {
    let answer = exchange(server.admin, "GET /stats HTTP/1.1\r\nhost: 127.0.0.1").await;
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

fn upgrade(server: &Server, origin: &str) -> String {
    format!(
        "GET /.viral/ws HTTP/1.1\r\nhost: {}\r\norigin: {origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    )
}

/// A handshake; the stream and the head of the answer.
async fn handshake(server: &Server, origin: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(upgrade(server, origin).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

/// One short unmasked frame: opcode and payload.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let opcode = stream.read_u8().await.unwrap() & 0x0f;
    let mut len = usize::from(stream.read_u8().await.unwrap());
    if len == 126 {
        len = usize::from(stream.read_u16().await.unwrap());
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await.unwrap();
    (opcode, payload)
}

/// A text frame as a client sends it, masked with zeros.
fn masked(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).unwrap();
    assert!(len < 126);
    [&[0x81, 0x80 | len, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[tokio::test]
async fn only_pages_of_the_site_get_a_web_socket() {
    let server = server().await;
    let (_, foreign) = handshake(&server, "https://evil.example").await;
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    let (_, own) = handshake(&server, &format!("http://{}", server.address)).await;
    assert!(own.starts_with("HTTP/1.1 101 "), "{own}");
}

#[tokio::test]
async fn a_message_that_is_no_signal_is_answered_with_an_error() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    stream.write_all(&masked("{\"kind\":\"dance\"}")).await.unwrap();
    let (opcode, payload) = frame(&mut stream).await;
    let error: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((opcode, &error["kind"], &error["code"]), (1, &"error".into(), &"malformed".into()));
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_socket_with_a_reason() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    let mut long = vec![0x81, 0xff];
    long.extend((1_u64 << 20).to_be_bytes());
    long.extend([0; 4]);
    stream.write_all(&long).await.unwrap();
    let (opcode, payload) = frame(&mut stream).await;
    assert_eq!((opcode, u16::from_be_bytes([payload[0], payload[1]])), (8, 1009));
}

#[tokio::test]
async fn a_shutdown_says_goodbye_to_every_socket_and_ends() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    server.viral.shut_down();
    let (opcode, payload) = frame(&mut stream).await;
    assert_eq!((opcode, u16::from_be_bytes([payload[0], payload[1]])), (8, 1001));
    assert_eq!(&payload[2..], b"the server is shutting down");
    drop(stream);
    server.running.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
