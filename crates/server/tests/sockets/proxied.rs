//! Behind a proxy that speaks the PROXY protocol.

use viral_server::Listener;

use super::*;

const REQUEST: &str = "GET /app.js HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";

/// What a server answers whose proxy is at `trusted`, to these bytes and a request; empty if the connection is closed without a word.
async fn answered(trusted: &str, first: &[u8]) -> String {
    let config = Config { trust_proxy: vec![trusted.parse().unwrap()], ..Config::default() };
    let files = vec![EmbeddedFile { path: "app.js".to_owned(), body: Bytes::from_static(b"1") }];
    let viral = Viral::open(Source::Embedded(files), &config).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (serving, listener) = (viral.clone(), Listener::from(listener).with_proxy_protocol(&config));
    let running = tokio::spawn(async move { serving.serve(vec![listener], Vec::new()).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[first, REQUEST.as_bytes()].concat()).await.unwrap();
    let mut out = Vec::new();
    // Closed with bytes unread, which the system may say as a reset.
    let _ = stream.read_to_end(&mut out).await;
    viral.shut_down();
    running.await.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_header_is_needed_from_a_trusted_proxy_and_refused_from_elsewhere() {
    let text: &[u8] = b"PROXY TCP4 198.51.100.7 10.0.0.1 80 443\r\n";
    let binary: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x0a\0\0\x01\0\x50\x01\xbb";
    for header in [text, binary] {
        assert!(answered("127.0.0.1", header).await.starts_with("HTTP/1.1 200 OK"));
        assert!(answered("192.0.2.1", header).await.starts_with("HTTP/1.1 400 Bad Request"));
    }
    assert!(answered("192.0.2.1", b"").await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(answered("127.0.0.1", b"").await, "");
}
