//! That the counted bytes are the sent bytes, whoever wrote them.

use super::*;

async fn counted(server: &Server, cause: &str) -> u64 {
    stats(server).await["origin_bytes"][cause].as_u64().unwrap()
}

/// Sends `request` and reads until the other side closes.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    stream.read_to_end(&mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn the_counted_bytes_are_the_sent_bytes() {
    let server = server().await;
    let navigation = "GET / HTTP/1.1\r\nhost: a\r\nsec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\n";
    let table = [
        ("documents", format!("{navigation}connection: close\r\n\r\n"), "200"),
        ("assets", "GET /app.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".into(), "200"),
        ("assets", "GET /app.js HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /app.js HTTP/1.0\r\n\r\n".into(), "200"),
        ("assets", "HEAD /app.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".into(), "200"),
        ("loader", "GET /.viral/worker.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".into(), "200"),
        ("signalling", "GET /.viral/answer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".into(), "405"),
        ("documents", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n".into(), "400"),
        ("documents", "no request at all\r\n\r\n".into(), "400"),
        ("documents", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100_000)), "431"),
        (
            "signalling",
            "POST /.viral/answer HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".into(),
            "100",
        ),
    ];
    for (cause, request, status) in table {
        let before = counted(&server, cause).await;
        let answer = raw(&server, &request).await;
        let head = &request[..request.len().min(60)];
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}");
        assert_eq!(counted(&server, cause).await - before, answer.len() as u64, "{head}");
    }
    assert_eq!(stats(&server).await["answers"]["full"], 1);
}

#[tokio::test]
async fn frames_of_a_web_socket_are_counted_too() {
    let server = server().await;
    let (mut stream, head) = handshake(&server, &format!("http://{}", server.address)).await;
    // A ping of one byte, and a close without a reason.
    stream.write_all(&[0x89, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    assert_eq!(frame(&mut stream).await, (10, b"x".to_vec()));
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await.unwrap();
    assert_eq!(frame(&mut stream).await, (8, vec![0x03, 0xe8]), "a goodbye is answered with a goodbye");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(counted(&server, "signalling").await, (head.len() + 3 + 4) as u64);
}

#[tokio::test]
async fn what_a_client_that_left_never_got_is_not_counted() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /large.bin HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 2048]).await.unwrap();
    drop(stream);
    // The system takes some megabytes into its own buffers.
    assert!(counted(&server, "assets").await < LARGE_LEN as u64 / 2);
}

#[tokio::test]
async fn what_an_origin_may_send_is_a_line_that_those_who_come_share() {
    let page = "<!doctype html><title>t</title><img src=\"large.bin\">";
    let visit = "GET / HTTP/1.1\r\nhost: a\r\nsec-fetch-dest: document\r\nsec-fetch-mode: navigate";
    for (origin_rate, answer) in [(0, "full; reason=no-peer-near"), (1_000_000, "thin; reason=crowd")] {
        let server = server_of(page, Config { min_app_bytes: 0, origin_rate, ..Config::default() }).await;
        let answered = exchange(server.address, visit).await;
        assert!(answered.contains(&format!("viral-answer: {answer}\r\n")), "{origin_rate}: {}", &answered[..answered.len().min(600)]);
    }
}
