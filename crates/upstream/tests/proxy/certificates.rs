//! Visitors who show certificates, and what becomes of what they are answered.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use viral_server::tls::{ClientAuth, Tls, TlsFiles};

use super::*;

/// A server over TLS that asks for certificates, and somebody who has one.
struct Secured {
    front: Front,
    client: ClientConfig,
    /// Its certificate as a header has it.
    shown: String,
    without: ClientConfig,
}

async fn secured(app: Router) -> Secured {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = TlsFiles { certificate: write("own.pem", own.pem()), key: write("own.key", key.serialize_pem()) };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let auth = ClientAuth { authorities: write("ca.pem", authority.pem()), is_required: false, tells_chain: false };
    let tls = Tls::from_files(vec![files]).unwrap();
    tls.ask_visitors(&auth).unwrap();
    let front = front_as(app, |_| {}, |_| {}, |listener| listener.with_tls(tls)).await;
    let key = KeyPair::generate().unwrap();
    let shown = CertificateParams::new(vec!["ada.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Secured {
        front,
        client: client(own.der(), Some((shown.der().clone(), key))),
        shown: format!(":{}:", base64::prelude::BASE64_STANDARD.encode(shown.der())),
        without: client(own.der(), None),
    }
}

fn client(root: &CertificateDer<'static>, shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    match shown {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

impl Secured {
    async fn connect(&self, client: &ClientConfig) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.front.at).await.unwrap();
        TlsConnector::from(Arc::new(client.clone())).connect(ServerName::try_from("a.example").unwrap(), stream).await.unwrap()
    }

    /// The whole answer to a GET over HTTP/1.1.
    async fn ask(&self, client: &ClientConfig, path: &str, lines: &str) -> String {
        let mut stream = self.connect(client).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the answer ends");
        assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// What a visitor may write itself.
const FORGED: &str = "client-cert: :Zm9yZ2Vk:\r\nclient_cert: :Zm9yZ2Vk:\r\nclient-cert-chain: :Zm9yZ2Vk:\r\n";

/// Answers with what it was told of certificates.
async fn told(headers: HeaderMap) -> String {
    let said = headers.iter().filter(|(name, _)| name.as_str().replace('_', "-").starts_with("client-cert"));
    said.map(|(name, value)| format!("told {name}: {}\n", value.to_str().unwrap())).collect::<String>() + "told all\n"
}

#[tokio::test]
async fn the_server_behind_is_told_which_certificate_a_visitor_showed_and_nothing_else() {
    let secured = secured(Router::new().fallback(get(told))).await;
    let told = |answer: String| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let expected = format!("told client-cert: {}\ntold all\n", secured.shown);
    assert_eq!(told(secured.ask(&secured.client, "/", FORGED).await), expected);
    assert_eq!(told(secured.ask(&secured.without, "/", FORGED).await), "told all\n");
    let plain = front(Router::new().fallback(get(self::told))).await;
    assert_eq!(told(plain.ask("GET", "/", FORGED).await), "told all\n");
}

#[tokio::test]
async fn every_request_of_a_connection_over_http_2_tells_it() {
    let secured = secured(Router::new().fallback(get(told))).await;
    let mut client = secured.client.clone();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let (mut sender, connection) = h2::client::handshake(secured.connect(&client).await).await.unwrap();
    tokio::spawn(connection);
    for path in ["/1", "/2", "/3"] {
        sender = sender.ready().await.unwrap();
        let request = axum::http::Request::get(format!("https://a.example{path}")).header("client-cert", ":Zm9yZ2Vk:").body(()).unwrap();
        let mut body = sender.send_request(request, true).unwrap().0.await.unwrap().into_body();
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            text.extend_from_slice(&data.unwrap());
        }
        assert_eq!(String::from_utf8(text).unwrap(), format!("told client-cert: {}\ntold all\n", secured.shown), "{path}");
    }
}

/// Says that everything is for everybody, and makes it for whoever shows a certificate all the same. Notes each request: its path, and whether it told of one.
fn careless(asked: &Arc<Mutex<Vec<(String, bool)>>>) -> Router {
    let asked = Arc::clone(asked);
    let page = move |request: Request| async move {
        let has_certificate = request.headers().contains_key("client-cert");
        asked.lock().unwrap().push((request.uri().path().to_owned(), has_certificate));
        let text = if has_certificate { "<title>x</title>only for ada" } else { "<title>x</title>for everybody" };
        ([("content-type", "text/html"), ("cache-control", "public, max-age=60")], text).into_response()
    };
    Router::new().fallback(get(page))
}

#[tokio::test]
async fn what_is_answered_to_a_certificate_is_for_its_visitor_alone() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let secured = secured(careless(&asked)).await;
    let count = |path: &str, has_certificate: bool| {
        asked.lock().unwrap().iter().filter(|(asked, has)| asked == path && *has == has_certificate).count()
    };
    for _ in 0..3 {
        let own = secured.ask(&secured.client, "/page", NAVIGATION).await;
        assert!(own.contains("plain; reason=not-shareable") && own.ends_with("<title>x</title>only for ada"), "{own}");
    }
    // One that is visited without is looked at, after all that was noted before it.
    let mut other = String::new();
    for _ in 0..100 {
        other = secured.ask(&secured.without, "/other", NAVIGATION).await;
        if other.contains("accept-ranges: bytes") {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(other.contains("accept-ranges: bytes") && other.contains("for everybody"), "{other}");
    assert_eq!((count("/page", true), count("/page", false)), (3, 0), "what they asked for is not looked at");
    // Nor are they given what is kept.
    let own = secured.ask(&secured.client, "/other", NAVIGATION).await;
    assert!(own.contains("via: ") && own.contains("only for ada") && !own.contains("accept-ranges"), "{own}");
    assert_eq!(count("/other", true), 1, "what is fetched to be kept is fetched without");
    assert!(secured.ask(&secured.without, "/other", NAVIGATION).await.contains("for everybody"));
}

#[tokio::test]
async fn a_proxy_in_front_tells_of_certificates_if_the_operator_believes_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    for (is_believed, text) in [(true, "only for ada"), (false, "for everybody")] {
        let trust = |config: &mut Config| {
            config.trust_proxy = vec!["127.0.0.1".parse().unwrap()];
            config.trust_proxy_client_cert = is_believed;
        };
        let front = front_as(careless(&asked), |_| {}, trust, |listener| listener).await;
        front.visit_until("/", NAVIGATION, "accept-ranges: bytes").await;
        let answer = front.ask("GET", "/", &format!("{NAVIGATION}client-cert: :MA==:\r\n")).await;
        assert!(answer.contains(text) && answer.contains("via: ") == is_believed, "{answer}");
    }
}
