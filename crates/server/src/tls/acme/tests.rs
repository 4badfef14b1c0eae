//! Certificates of a certificate authority that runs here: Pebble, where it is installed.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::Viral;
use crate::listener::Listener;
use crate::testing::{SITE, viral};

/// How long Pebble and its names may take to begin.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How often they begin with other ports, because some other program took one of theirs meanwhile.
const STARTS_MAX: u32 = 5;

/// Asks for the address of `a.example` (RFC 1035 section 4.1).
const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01";

/// Pebble, and the names that it looks up: all of them are this machine.
struct Authority {
    children: Vec<Child>,
    /// A failed test shows why an order failed.
    _shown: tracing::subscriber::DefaultGuard,
    dir: tempfile::TempDir,
    directory: String,
}

impl Drop for Authority {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One that is free for TCP and for UDP.
fn free_port() -> u16 {
    loop {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}

impl Authority {
    /// One that proves names at these ports; none where the programs are missing.
    async fn start(tls_port: u16, http_port: u16) -> Option<Self> {
        for _ in 0..STARTS_MAX {
            let (authority, names) = Self::begin(tls_port, http_port)?;
            if authority.is_up(names).await {
                return Some(authority);
            }
        }
        panic!("pebble and its names do not begin; is this machine out of ports?")
    }

    /// Starts the programs; they look names up at this port.
    fn begin(tls_port: u16, http_port: u16) -> Option<(Self, u16)> {
        let dir = tempfile::tempdir().unwrap();
        let (listen, management, names, names_management) = (free_port(), free_port(), free_port(), free_port());
        let (chain, key) = certificate::make(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(dir.path().join("root.pem"), certificate::pem("CERTIFICATE", &chain[0])).unwrap();
        std::fs::write(dir.path().join("root.key"), certificate::pem("PRIVATE KEY", key.secret_der())).unwrap();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": dir.path().join("root.pem"), "privateKey": dir.path().join("root.key"),
            "httpPort": http_port, "tlsPort": tls_port, "ocspResponderURL": "", "externalAccountBindingRequired": false,
            "domainBlocklist": ["refused.example"],
        } });
        std::fs::write(dir.path().join("pebble.json"), config.to_string()).unwrap();
        let spawn = |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok();
        let looked_up =
            spawn(Command::new("pebble-challtestsrv").args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]).args([
                "-dns01",
                &format!("127.0.0.1:{names}"),
                "-management",
                &format!("127.0.0.1:{names_management}"),
            ]));
        let shown = tracing_subscriber::fmt().with_test_writer().finish();
        let mut authority = Self {
            children: looked_up.into_iter().collect(),
            _shown: tracing::subscriber::set_default(shown),
            directory: format!("https://127.0.0.1:{listen}/dir"),
            dir,
        };
        let pebble = Command::new("pebble")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .args(["-dnsserver", &format!("127.0.0.1:{names}"), "-config"])
            .arg(authority.dir.path().join("pebble.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        authority.children.extend(pebble.ok());
        if authority.children.len() < 2 {
            eprintln!("pebble is not installed, so that nothing is tried with it; `cargo xtask tools` does that");
            return None;
        }
        Some((authority, names))
    }

    /// Waits until both programs answer; false if one does not: `pebble-challtestsrv` goes on where its port for names is taken.
    async fn is_up(&self, names: u16) -> bool {
        let listen = self.directory.trim_start_matches("https://").trim_end_matches("/dir");
        let resolver = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let up = async {
            while TcpStream::connect(listen).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            loop {
                let _ = resolver.send_to(QUESTION, ("127.0.0.1", names)).await;
                if let Ok(Ok(_)) = timeout(Duration::from_millis(200), resolver.recv(&mut [0; 512])).await {
                    return;
                }
            }
        };
        timeout(START_TIMEOUT, up).await.is_ok()
    }

    fn options(&self, names: &[&str], state_dir: &Path) -> AcmeOptions {
        AcmeOptions {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            contact: Some("ops@app.example".to_owned()),
            directory: self.directory.clone(),
            roots: Some(self.dir.path().join("root.pem")),
            state_dir: state_dir.to_owned(),
            answers_http: true,
        }
    }
}

/// A server with listeners for https and http, which begins to serve with a certificate authority.
struct Server {
    https: SocketAddr,
    http: SocketAddr,
    listeners: Option<(TcpListener, TcpListener)>,
}

impl Server {
    async fn bind() -> Self {
        let (https, http) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        Self { https: https.local_addr().unwrap(), http: http.local_addr().unwrap(), listeners: Some((https, http)) }
    }

    async fn authority(&self) -> Option<Authority> {
        Authority::start(self.https.port(), self.http.port()).await
    }

    async fn serve(&mut self, acme: &Acme) -> Viral {
        let viral = viral(&SITE, |_| ()).await;
        let (https, http) = self.listeners.take().unwrap();
        let (served, listener) = (viral.clone(), Listener::from(https).with_tls(acme.tls().clone()));
        tokio::spawn(async move { served.serve(vec![listener], Vec::new()).await });
        let (redirected, challenges, port) = (viral.clone(), acme.challenges().clone(), self.https.port());
        tokio::spawn(async move { redirected.redirect_and_prove(vec![Listener::from(http)], port, challenges).await });
        viral
    }

    async fn visit(&self, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
        let stream = TcpStream::connect(self.https).await?;
        TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<String> {
    let mut names = certificate::names(stream.get_ref().1.peer_certificates().unwrap());
    names.sort();
    names
}

/// Pebble makes a root of its own at each start.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn exchange(stream: &mut TlsStream<TcpStream>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    stream.write_all(b"GET /app.js HTTP/1.1\r\nhost: a.example\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn a_certificate_is_ordered_kept_and_renewed_while_connections_live() {
    let mut server = Server::bind().await;
    let Some(authority) = server.authority().await else { return };
    let state = tempfile::tempdir().unwrap();
    let options = authority.options(&["b.example", "a.example"], state.path());
    let acme = Acme::open(options.clone()).unwrap();
    server.serve(&acme).await;
    assert!(server.visit("a.example").await.is_err(), "until there is a certificate, visitors are refused");
    assert!(acme.tls().validities().is_empty());

    let now = SystemTime::now();
    acme.attempt(now).await;
    let first = acme.tls().validities().pop().expect("a certificate by TLS-ALPN-01");
    let mut visitor = server.visit("b.example").await.unwrap();
    assert_eq!(shown(&visitor), ["a.example", "b.example"]);
    assert_eq!(exchange(&mut visitor).await, "HTTP/1.1 200 OK");
    let due = acme.due(now);
    assert!(due > now + (first.until.duration_since(now).unwrap()) / 2, "it is renewed when that is due, not before");

    // After a restart it is shown at once, and nobody is asked.
    let again = Acme::open(options.clone()).unwrap();
    assert_eq!((again.tls().validities(), again.due(now)), (vec![first.clone()], due));

    acme.attempt(SystemTime::now()).await;
    let second = acme.tls().validities().pop().unwrap();
    assert_ne!(first.fingerprint, second.fingerprint);
    let newcomer = server.visit("a.example").await.unwrap();
    assert_eq!(certificate::validity(newcomer.get_ref().1.peer_certificates().unwrap()).fingerprint, second.fingerprint);
    assert_eq!(exchange(&mut visitor).await.len(), 15, "the connection from before lives");
    assert_eq!(std::fs::read_dir(state.path().join("acme")).unwrap().count(), 3, "one account, one certificate, one note of when");

    // What is broken is ordered anew, and no sooner than if all were well.
    std::fs::write(acme.store.certificate_path(), "broken").unwrap();
    let broken = Acme::open(options.clone()).unwrap();
    assert!(broken.tls().validities().is_empty() && broken.due(now) > now);
    std::fs::write(acme.store.account_path(), "broken").unwrap();
    assert!(matches!(Acme::open(options), Err(AcmeError::Account { .. })));
}

#[tokio::test]
async fn after_a_failure_names_are_proven_at_port_80() {
    let mut server = Server::bind().await;
    // Nobody answers where TLS-ALPN-01 looks.
    let Some(authority) = Authority::start(free_port(), server.http.port()).await else { return };
    let state = tempfile::tempdir().unwrap();
    let acme = Acme::open(authority.options(&["a.example"], state.path())).unwrap();
    server.serve(&acme).await;
    let now = SystemTime::now();
    let said = acme.order(Proof::Tls).await.unwrap_err().to_string();
    assert!(said.starts_with("a.example was not proven to be ours by tls-alpn-01: ") && said.contains("let port 443"), "{said}");
    acme.attempt(now).await;
    assert_eq!(acme.store.attempts(now).failures, 1);
    assert!(acme.due(now) >= now + Duration::from_secs(59) && server.visit("a.example").await.is_err());
    acme.attempt(now).await;
    assert_eq!(acme.store.attempts(now).failures, 0);
    assert_eq!(shown(&server.visit("a.example").await.unwrap()), ["a.example"]);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_kept_is_shown_and_not_ordered_at_each_start() {
    let mut server = Server::bind().await;
    let Some(authority) = server.authority().await else { return };
    let state = tempfile::tempdir().unwrap();
    let options = authority.options(&["a.example"], state.path());
    let acme = Acme::open(options.clone()).unwrap();
    server.serve(&acme).await;
    std::fs::create_dir(acme.store.certificate_path()).unwrap();
    let now = SystemTime::now();
    acme.attempt(now).await;
    assert_eq!(shown(&server.visit("a.example").await.unwrap()), ["a.example"]);
    let again = Acme::open(options).unwrap();
    assert!(again.tls().validities().is_empty());
    let now = SystemTime::now();
    assert_eq!(again.store.attempts(now).failures, 1);
    assert!(again.due(now) > now + Duration::from_secs(3_500), "{:?}", again.due(now));
}

#[tokio::test]
async fn what_is_refused_or_away_is_said_and_waited_for() {
    let server = Server::bind().await;
    let Some(authority) = server.authority().await else { return };
    let state = tempfile::tempdir().unwrap();
    let acme = Acme::open(authority.options(&["refused.example"], state.path())).unwrap();
    let said = acme.order(Proof::Tls).await.unwrap_err().to_string();
    assert!(said.contains("give names that this certificate authority certifies with --acme"), "{said}");

    let mut options = authority.options(&["a.example"], state.path());
    options.directory = format!("https://127.0.0.1:{}/dir", free_port());
    let away = Acme::open(options.clone()).unwrap();
    let said = away.order(Proof::Tls).await.unwrap_err().to_string();
    assert!(said.contains("onnection refused") && said.contains("see that this machine reaches the address of --acme-directory"), "{said}");
    let now = SystemTime::now();
    for at_least in [59, 599, 5_999] {
        // The pause begins when the order is over, however long it took.
        away.attempt(now - Duration::from_secs(1_000)).await;
        // Also after a restart.
        assert!(Acme::open(options.clone()).unwrap().due(now) >= now + Duration::from_secs(at_least));
    }

    let mut options = authority.options(&["a.example"], state.path());
    std::fs::write(
        state.path().join("other.pem"),
        certificate::pem("CERTIFICATE", &certificate::make(vec!["x.example".to_owned()]).unwrap().0[0]),
    )
    .unwrap();
    options.roots = Some(state.path().join("other.pem"));
    let said = Acme::open(options).unwrap().order(Proof::Tls).await.unwrap_err().to_string();
    assert!(said.contains("certificate") && said.contains("--acme-ca"), "{said}");
}

#[tokio::test]
async fn an_authority_that_says_when_to_come_again_is_heard() {
    let (chain, key) = certificate::make(vec!["127.0.0.1".to_owned()]).unwrap();
    let state = tempfile::tempdir().unwrap();
    let root = state.path().join("root.pem");
    std::fs::write(&root, certificate::pem("CERTIFICATE", &chain[0])).unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = format!("https://{}/dir", listener.local_addr().unwrap());
    let refusing = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let mut stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7200\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let options = AcmeOptions {
        names: vec!["a.example".to_owned()],
        contact: None,
        directory,
        roots: Some(root),
        state_dir: state.path().to_owned(),
        answers_http: false,
    };
    let acme = Acme::open(options).unwrap();
    let now = SystemTime::now();
    tokio::join!(acme.attempt(now), refusing);
    let due = acme.due(now).duration_since(now).unwrap();
    assert!(due >= Duration::from_secs(7_190) && due <= Duration::from_secs(7_210), "{due:?}");
}
