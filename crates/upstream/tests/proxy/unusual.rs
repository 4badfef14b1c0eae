//! Servers behind that do as they like: codings nobody asked for, answers for a language, restarts.

use std::io::Write as _;

use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::task::{JoinHandle, JoinSet};

use super::*;

const OF_SITE: &str = "accept-ranges: bytes";
const PUBLIC: (&str, &str) = ("cache-control", "public, max-age=60");

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_server_that_speaks_gzip_only_is_understood() {
    let page = "<!doctype html><title>App</title><script src=/app.js></script><p>Hello";
    let coded = |media_type: &'static str, text: &'static str| {
        get(move || async move { ([("content-type", media_type), ("content-encoding", "gzip"), PUBLIC], gzipped(text)) })
    };
    let front = front(Router::new().route("/", coded("text/html", page)).route("/app.js", coded("text/javascript", "let a = 1;"))).await;
    let visit = front.visit_until("/", NAVIGATION, OF_SITE).await;
    assert!(visit.contains("<p>Hello") && !visit.contains("content-encoding"), "{visit}");
    let script = front.visit_until("/app.js", "", OF_SITE).await;
    assert!(script.ends_with("let a = 1;") && !script.contains("content-encoding"), "{script}");
}

#[tokio::test]
async fn what_depends_on_what_a_visitor_likes_is_made_for_each() {
    let of = |vary: &'static str| {
        get(move |headers: HeaderMap| async move {
            let liked = headers.get(vary).map_or("nothing", |value| value.to_str().unwrap()).to_owned();
            ([("content-type", "text/plain"), PUBLIC, ("vary", vary)], format!("for {liked}")).into_response()
        })
    };
    let plain = get(|| async { ([("content-type", "text/plain"), PUBLIC], "for all") });
    let app = Router::new().route("/tongue", of("accept-language")).route("/type", of("accept")).route("/last", plain);
    let front = front(app).await;
    for (path, name, values) in [("/tongue", "accept-language", ["de", "fr"]), ("/type", "accept", ["text/html", "application/json"])] {
        for _ in 0..2 {
            for value in values {
                front.ask("GET", path, &format!("{name}: {value}\r\n")).await;
            }
        }
        // Once what was asked for last is judged, so is mostly what was asked for before.
        front.visit_until("/last", "", OF_SITE).await;
        for value in values {
            let answer = front.ask("GET", path, &format!("{name}: {value}\r\n")).await;
            assert!(answer.contains("via: ") && answer.ends_with(&format!("for {value}")), "{answer}");
        }
    }
}

/// A server whose connections end with it. At `/half` it stops in the middle.
fn serve(listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(answer_all(stream));
        }
    })
}

const HALF: usize = 500_000;

async fn answer_all(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let len = head.split("content-length: ").nth(1).map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        while buffer.len() < end + len {
            stream.read_buf(&mut buffer).await?;
        }
        buffer.drain(..end + len);
        if head.contains("/half") {
            stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 * HALF).as_bytes()).await?;
            stream.write_all(&vec![b'x'; HALF]).await?;
            return std::future::pending().await;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
    }
}

#[tokio::test]
async fn a_server_that_is_restarted_costs_only_what_was_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let behind = serve(listener);
    let mut front = front_of(at, behind, |_| {}, |_| {}, |listener| listener).await;
    assert!(front.ask("GET", "/", "").await.ends_with("ok"));
    // In the middle of an answer, which nobody may take for a whole one.
    let mut stream = TcpStream::connect(front.at).await.unwrap();
    stream.write_all(b"GET /half HTTP/1.1\r\nhost: a.example\r\n\r\n").await.unwrap();
    let mut came = vec![0; HALF];
    stream.read_exact(&mut came).await.unwrap();
    front.behind.abort();
    assert!((&mut front.behind).await.unwrap_err().is_cancelled());
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("it ends");
    assert!(came.len() + rest.len() < 2 * HALF, "{ended:?}");
    let away = front.ask("GET", "/", "").await;
    assert!(away.starts_with("HTTP/1.1 502") && away.contains("retry-after: 5"), "{away}");
    // Between requests: connections that were kept are of no use any more.
    for method in ["GET", "POST"] {
        front.behind = serve(TcpListener::bind(at).await.unwrap());
        for _ in 0..2 {
            let answer = front.ask(method, "/", "content-length: 0\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{method} {answer}");
        }
        front.behind.abort();
        assert!((&mut front.behind).await.unwrap_err().is_cancelled());
    }
}
