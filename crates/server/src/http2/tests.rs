//! Visitors who speak HTTP/2, and clients that misuse it, over real connections.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Request, Response, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::limits::{HEAD_LEN_MAX, HTTP2_CHUNK_LEN_MAX};
use crate::listener::Listener;
use crate::stats::{Cause, Stats};
use crate::testing::{SITE, viral};
use crate::tls::Tls;
use crate::{Source, Viral};
use viral_site::EmbeddedFile;

/// A server over TLS with `file` besides the usual site.
struct Server {
    viral: Viral,
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(viral: Viral) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, certificate) = Tls::for_tests("a.example");
        let served = viral.clone();
        let serving = tokio::spawn(async move { served.serve(vec![Listener::from(listener).with_tls(tls)], Vec::new()).await });
        Self { viral, address, certificate, serving }
    }

    async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        connect(self.address, &self.certificate, protocols).await
    }

    async fn http2(&self) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
        let stream = self.connect(&["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let driving = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        // An answer comes after the server's settings.
        ask(&mut client, "/404.html").await.into_body().data().await.unwrap().unwrap();
        (client, driving)
    }
}

async fn connect(address: SocketAddr, certificate: &CertificateDer<'static>, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("a.example").unwrap(), stream).await.unwrap()
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://a.example{path}")).version(Version::HTTP_2).body(()).unwrap()
}

async fn ask(client: &mut SendRequest<Bytes>, path: &str) -> Response<RecvStream> {
    let (response, _) = client.send_request(get(path), true).unwrap();
    timeout(Duration::from_secs(5), response).await.unwrap().unwrap()
}

async fn read(mut body: RecvStream) -> Result<usize, h2::Error> {
    let mut len = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        len += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    Ok(len)
}

async fn with_file(len: usize) -> Viral {
    let file = |path: &str, body: Vec<u8>| EmbeddedFile { path: path.to_owned(), body: body.into() };
    let files = vec![file("index.html", b"<!doctype html>".to_vec()), file("404.html", b"none".to_vec()), file("big.bin", vec![7; len])];
    Viral::open(Source::Embedded(files), &crate::config::Config::default()).await.unwrap()
}

#[tokio::test]
async fn many_answers_share_a_connection_and_each_is_counted_for_its_cause() {
    let server = Server::start(viral(&SITE, |_| ()).await).await;
    let (mut client, _driving) = server.http2().await;
    let before = server.viral.stats().sent(Cause::Assets);
    let asked: Vec<_> = (0..20).map(|_| client.send_request(get("/late.bin"), true).unwrap().0).collect();
    let page = ask(&mut client, "/").await;
    assert_eq!((page.status().as_u16(), page.headers()["content-type"].as_bytes()), (200, &b"text/html; charset=utf-8"[..]));
    assert!(!page.headers().contains_key("connection"));
    // At the same time: the window of the connection is for all.
    let reading = asked.into_iter().map(|response| async { read(response.await.unwrap().into_body()).await.unwrap() });
    assert!(futures_util::future::join_all(reading).await.into_iter().all(|len| len == 20_000));
    let assets = server.viral.stats().sent(Cause::Assets) - before;
    assert!((400_000..402_500).contains(&assets), "{assets}");
}

#[tokio::test]
async fn whoever_speaks_http_1_is_answered_by_it_and_web_sockets_are_offered_there_only() {
    let server = Server::start(viral(&SITE, |_| ()).await).await;
    let (client, _driving) = server.http2().await;
    assert!(!client.is_extended_connect_protocol_enabled());
    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = server.connect(protocols).await;
        let upgrade = "GET /.viral/ws HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, upgrade.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101", "{protocols:?}");
    }
}

#[tokio::test]
async fn before_the_site_is_open_http_1_is_agreed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tls, certificate) = Tls::for_tests("a.example");
    let listener = Listener::from(listener).with_tls(tls);
    let accepting = async {
        let (mut stream, _) = listener.accept().await.unwrap().open_for(crate::protocol::Protocol::Http1).await.unwrap();
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await.unwrap().protocol
    };
    let (agreed, stream) = tokio::join!(accepting, connect(address, &certificate, &["h2", "http/1.1"]));
    assert_eq!(agreed, crate::protocol::Protocol::Http1);
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_alone_and_requests_are_limited() {
    let server = Server::start(viral(&SITE, |_| ()).await).await;
    let (mut client, _driving) = server.http2().await;
    assert_eq!(client.current_max_send_streams(), HTTP2_STREAMS_MAX as usize);
    for factor in [1, 3] {
        let mut long = get("/");
        // In parts: one field alone is no measure of a list.
        for at in 0..factor * 4 {
            long.headers_mut()
                .insert(http::HeaderName::try_from(format!("x-{at}")).unwrap(), "x".repeat(HEAD_LEN_MAX / 4).parse().unwrap());
        }
        let (response, _) = client.send_request(long, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 431, "{factor}");
    }
    assert_eq!(ask(&mut client, "/").await.status(), 200);
}

#[tokio::test]
async fn a_refusal_to_head_has_no_body() {
    let server = Server::start(viral(&SITE, |_| ()).await).await;
    let (mut client, _driving) = server.http2().await;
    let mut twice = get("/");
    *twice.method_mut() = http::Method::HEAD;
    twice.headers_mut().insert("host", "b.example".parse().unwrap());
    let (response, _) = client.send_request(twice, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["content-length"].as_bytes()), (400, &b"51"[..]));
    assert_eq!(read(response.into_body()).await.unwrap(), 0);
    assert_eq!(ask(&mut client, "/").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_crosses_our_notice_is_answered() {
    let shares = Arc::new(Shares::default());
    let parting = async |asks: bool, answer_takes: Duration| {
        let connection = async {
            sleep(SHUTDOWN_UNASKED / 2).await;
            let share = asks.then(|| shares.begin());
            sleep(answer_takes).await;
            drop(share);
            // The last bytes leave.
            sleep(HTTP2_TICK).await;
        };
        tokio::pin!(connection);
        part(connection, &shares).await
    };
    assert_eq!(parting(true, 2 * READ_STALL).await, Some(()));
    let idle = Instant::now();
    assert_eq!(parting(false, READ_STALL).await, None);
    assert!(idle.elapsed() < 2 * SHUTDOWN_UNASKED);
    let connection = std::future::pending::<()>();
    tokio::pin!(connection);
    let asking = async {
        sleep(SHUTDOWN_UNASKED / 2).await;
        drop(shares.begin());
    };
    let (ended, ()) = tokio::join!(part(connection, &shares), asking);
    assert_eq!(ended, None, "and who then lets nothing through is not waited for");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let server = Server::start(viral(&SITE, |_| ()).await).await;
    let (mut client, driving) = server.http2().await;
    for _ in 0..50 * HTTP2_RESETS_PENDING_MAX {
        let Ok((_, mut sending)) = client.send_request(get("/"), false) else { break };
        sending.send_reset(Reason::CANCEL);
        match client.ready().await {
            Ok(ready) => client = ready,
            Err(_) => break,
        }
    }
    let ended = timeout(Duration::from_secs(10), driving).await.expect("the server ends it").unwrap();
    assert_eq!(ended.unwrap_err().reason(), Some(Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn an_answer_under_way_is_finished_at_the_end_and_nothing_new_is_begun() {
    let len = 4 << 20;
    let server = Server::start(with_file(len).await).await;
    let (mut client, driving) = server.http2().await;
    let response = ask(&mut client, "/big.bin").await;
    server.viral.shut_down();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(read(response.into_body()).await.unwrap(), len);
    timeout(Duration::from_secs(5), server.serving).await.expect("it ends").unwrap();
    assert!(client.ready().await.is_err());
    timeout(Duration::from_secs(5), driving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn of_an_answer_that_is_not_read_little_more_is_counted_than_left() {
    let len = 4 << 20;
    let server = Server::start(with_file(len).await).await;
    let (mut client, _driving) = server.http2().await;
    let before = server.viral.stats().sent(Cause::Assets);
    let response = ask(&mut client, "/big.bin").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let sent = server.viral.stats().sent(Cause::Assets) - before;
    // The window of this client, and the heads.
    assert!((65_535..66_535).contains(&sent), "{sent}");
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn who_gives_no_room_is_given_up_and_who_waits_for_us_or_reads_slowly_is_not() {
    let shares = Arc::new(Shares::default());
    let stats = Arc::new(Stats::default());
    let began = Instant::now();
    let mut share = shares.begin();
    {
        let given_up = given_up(&shares);
        tokio::pin!(given_up);
        assert!(timeout(20 * READ_STALL, given_up.as_mut()).await.is_err(), "we owe it an answer");
        for _ in 0..10 {
            drop(share);
            share = shares.begin();
            let body = http_body_util::Full::new(Bytes::from(vec![0; HTTP2_CHUNK_LEN_MAX]));
            let counted = Arc::clone(&stats);
            let mut parts = crate::shares::SharedBody::new(body, share, move || (Some(Arc::clone(&counted)), Cause::Assets));
            http_body_util::BodyExt::frame(&mut parts).await.unwrap().unwrap();
            assert!(timeout(READ_STALL - 2 * HTTP2_TICK, given_up.as_mut()).await.is_err(), "it asks for more");
            shares.leave(HTTP2_CHUNK_LEN_MAX as u64);
            share = shares.begin();
            drop(parts);
        }
        drop(share);
        let idle = Instant::now();
        given_up.await;
        assert!(idle.elapsed() <= READ_STALL + 2 * HTTP2_TICK, "{:?}", idle.elapsed());
    }
    assert!(began.elapsed() > 20 * READ_STALL);
}
