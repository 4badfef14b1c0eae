//! Clients that send what costs the server more than them.

use super::*;

/// Bytes after which a flood must have ended: what the systems of both ends hold, and then some.
const FLOOD_LEN: usize = 64 << 20;

/// Sends this again and again, and reads nothing, until the server has enough.
async fn flood(stream: &mut TcpStream, frame: &[u8]) {
    let batch = frame.repeat(65_536 / frame.len());
    for _ in 0..FLOOD_LEN / batch.len() {
        if stream.write_all(&batch).await.is_err() {
            return;
        }
    }
    panic!("the server takes whatever comes");
}

#[tokio::test]
async fn a_web_socket_that_pings_and_reads_nothing_is_ended() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0], &[b'x'; 125][..]].concat();
    flood(&mut stream, &ping).await;
}

#[tokio::test]
async fn a_web_socket_is_told_why_its_pings_end_it_and_a_few_are_answered() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    for n in 0..32 {
        stream.write_all(&[0x89, 0x81, 0, 0, 0, 0, n]).await.unwrap();
        assert_eq!(frame(&mut stream).await, (10, vec![n]));
    }
    for n in 0..8 {
        stream.write_all(&[0x89, 0x81, 0, 0, 0, 0, n]).await.unwrap();
    }
    let closed = loop {
        let (opcode, payload) = frame(&mut stream).await;
        if opcode == 8 {
            break payload;
        }
    };
    assert_eq!((u16::from_be_bytes([closed[0], closed[1]]), &closed[2..]), (1008, &b"too many pings"[..]));
}

#[tokio::test]
async fn a_message_of_empty_frames_without_end_is_ended() {
    let server = server().await;
    let (mut stream, _) = handshake(&server, &format!("http://{}", server.address)).await;
    stream.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.unwrap();
    flood(&mut stream, &[0x00, 0x80, 0, 0, 0, 0]).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_and_its_sender_reads_why() {
    let server = server().await;
    for (len, status) in [(30 << 10, "200"), (33 << 10, "431"), (8 << 20, "431")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /app.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n", "y".repeat(len));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut out = String::new();
        stream.read_to_string(&mut out).await.unwrap();
        assert!(out.starts_with(&format!("HTTP/1.1 {status} ")), "{len}: {out}");
    }
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    kept.write_all(b"HEAD /app.js HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    kept.read_exact(&mut [0; 100]).await.unwrap();
    kept.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(8 << 20)).as_bytes()).await.unwrap();
    let mut out = String::new();
    kept.read_to_string(&mut out).await.unwrap();
    assert!(out.contains("HTTP/1.1 431 "), "the second one, too: {out}");
}
