//! Answers that arrive whatever the client does, and an end that waits for nobody who asked nothing.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn a_client_that_sends_all_of_a_body_too_long_reads_why() {
    let server = server().await;
    for (path, status) in [("/.viral/answer", "413"), ("/app.js", "405")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let body = vec![b' '; 20 << 20];
        stream.write_all(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut out = String::new();
        stream.read_to_string(&mut out).await.unwrap();
        assert!(out.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {out}");
    }
}

#[tokio::test]
async fn requests_that_are_half_there_do_not_hold_up_the_end() {
    let server = server().await;
    let mut waiting = Vec::new();
    for half in ["", "GET / HT", "POST /.viral/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    kept.write_all(b"GET /app.js HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    kept.read_exact(&mut [0; 100]).await.unwrap();
    let began = Instant::now();
    server.viral.shut_down();
    server.running.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_in_flight_is_finished() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = vec![0; 2048];
    stream.read_exact(&mut first).await.unwrap();
    server.viral.shut_down();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let head = first.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(first.len() - head + rest.len(), LARGE_LEN);
    server.running.await.unwrap();
}
