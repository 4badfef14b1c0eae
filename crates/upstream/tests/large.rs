//! What a large transfer through the proxy costs, in memory of this process. Alone in its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use viral_server::config::Config;
use viral_server::{Listener, Viral};
use viral_upstream::{Settings, Upstream};

/// Bytes of the transfer.
const LEN: usize = 256 << 20;

/// What a process may grow by meanwhile: buffers of three connections, and what the heap keeps.
const GROWTH_MAX: usize = 32 << 20;

/// Bytes of memory that this process has for itself.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Sees how much the process grew at most.
struct Growth {
    before: usize,
    most: usize,
}

impl Growth {
    fn note(&mut self) {
        self.most = self.most.max(resident().saturating_sub(self.before));
    }
}

async fn front(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let upstream = Upstream::new(Settings::at(format!("http://{behind}").parse().unwrap())).unwrap();
    let viral = Viral::open(upstream.source(), &Config::default()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { viral.serve_in_front_of(upstream.service(), vec![Listener::from(listener)], Vec::new()).await });
    at
}

/// Takes whatever comes, and says how much it was.
async fn take(request: Request) -> String {
    let parts = request.into_body().into_data_stream();
    let taken = parts.fold(0, |len, part| async move { len + part.unwrap().len() });
    taken.await.to_string()
}

#[tokio::test]
async fn what_is_large_passes_in_both_directions_and_is_never_held() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let download = move || async move {
        let part = Bytes::from(vec![7; 64 << 10]);
        let parts = stream::iter(0..LEN / part.len()).map(move |_| {
            count.fetch_add(part.len(), SeqCst);
            Ok::<_, std::io::Error>(part.clone())
        });
        Response::builder().header("content-length", LEN).body(Body::from_stream(parts)).unwrap()
    };
    let at = front(Router::new().route("/down", get(download)).route("/up", post(take))).await;
    let mut buffer = vec![7; 256 << 10];
    let mut growth = Growth { before: resident(), most: 0 };

    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"GET /down HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut came = 0;
    loop {
        let len = stream.read(&mut buffer).await.unwrap();
        came += len;
        growth.note();
        // Nothing is made that nobody takes: what lies between is in buffers of systems.
        assert!(made.load(SeqCst).saturating_sub(came) < LEN / 4, "{came}");
        if len == 0 {
            break;
        }
    }
    assert!((LEN..LEN + 1024).contains(&came), "{came}");

    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!("POST /up HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\ncontent-length: {LEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..LEN / buffer.len() {
        stream.write_all(&buffer).await.unwrap();
        growth.note();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&LEN.to_string()), "{answer}");
    assert!(growth.most < GROWTH_MAX, "{} MiB", growth.most >> 20);
}
