//! Who is at the other end, with real connections.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::config::TrustedProxy;

const HEADER: &[u8] = b"PROXY TCP4 198.51.100.7 10.0.0.1 80 443\r\n";

/// A listener behind proxies at `trusted`.
async fn behind(trusted: &str) -> (Listener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { trust_proxy: vec![trusted.parse::<TrustedProxy>().unwrap()], ..Config::default() };
    (Listener::from(listener).with_proxy_protocol(&config), address)
}

#[tokio::test]
async fn a_trusted_proxy_says_for_whom_it_connects() {
    let (listener, address) = behind("127.0.0.0/8").await;
    let mut proxy = TcpStream::connect(address).await.unwrap();
    proxy.write_all(&[HEADER, b"GET"].concat()).await.unwrap();
    let arrival = listener.accept().await.unwrap();
    assert_eq!(arrival.peer(), Socket::At([127, 0, 0, 1].into()), "before anything is read");
    let (mut stream, peer) = arrival.open().await.unwrap();
    assert_eq!(peer, Socket::Named([198, 51, 100, 7].into(), false));
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"GET");
}

#[tokio::test]
async fn from_elsewhere_a_header_is_not_taken_for_one() {
    let (listener, address) = behind("192.0.2.1").await;
    let mut visitor = TcpStream::connect(address).await.unwrap();
    visitor.write_all(HEADER).await.unwrap();
    let (mut stream, peer) = listener.accept().await.unwrap().open().await.unwrap();
    let mut bytes = [0; HEADER.len()];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!((peer, &bytes[..]), (Socket::At([127, 0, 0, 1].into()), HEADER));
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_waited_for_a_while_only() {
    let (listener, address) = behind("127.0.0.1").await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let arrival = listener.accept().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let error = arrival.open().await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() < PROXY_HEADER_TIMEOUT + Duration::from_secs(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_proxy_at_a_unix_socket_says_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.sock");
    let config = Config { trust_proxy: vec![TrustedProxy::Unix], ..Config::default() };
    let listener = Listener::bind_unix(&path).await.unwrap().with_proxy_protocol(&config);
    let mut proxy = UnixStream::connect(&path).await.unwrap();
    proxy.write_all(HEADER).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap().open().await.unwrap();
    assert_eq!(peer, Socket::Named([198, 51, 100, 7].into(), false));
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn the_header_comes_before_the_handshake() {
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let (tls, certificate) = crate::tls::Tls::for_tests("a.example");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let (listener, address) = behind("127.0.0.1").await;
    let listener = listener.with_tls(tls);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    let visit = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(HEADER).await.unwrap();
        let mut stream = client.connect(ServerName::try_from("a.example").unwrap(), stream).await.unwrap();
        stream.write_all(b"GET").await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let serve = async {
        let (mut stream, peer) = listener.accept().await.unwrap().open().await.unwrap();
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).await.unwrap();
        (peer, bytes)
    };
    let (_stream, (peer, bytes)) = tokio::join!(visit, serve);
    assert_eq!((peer, &bytes), (Socket::Named([198, 51, 100, 7].into(), true), b"GET"));
}
