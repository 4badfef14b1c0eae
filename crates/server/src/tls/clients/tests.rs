//! Visitors with certificates, over real connections.

use std::path::Path;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;
use crate::protocol::Agreed;
use crate::tls::{Challenges, Tls, certified::certified};
use crate::{Listener, protocol::Protocol};

/// Who signs certificates, and with what a visitor shows one.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, those above it, and its key.
type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(of_authority(name), KeyPair::generate().unwrap()).unwrap())
    }

    fn below(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(of_authority(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn signs(&self, name: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

fn write(path: &Path, certificates: &[CertificateDer<'_>]) {
    std::fs::write(path, certificates.iter().map(|der| certificate::pem("CERTIFICATE", der)).collect::<String>()).unwrap();
}

/// A listener that asks for certificates of the authorities in a file.
struct Server {
    tls: Tls,
    listener: Listener,
    roots: RootCertStore,
    dir: tempfile::TempDir,
}

impl Server {
    async fn start(authorities: &[&Authority], is_required: bool, tells_chain: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = Tls::self_signed(vec!["a.example".to_owned()]).unwrap();
        let certificate = tls.shared.current.load().shown.certificates[0].as_ref().unwrap().certified.cert[0].clone();
        write(&dir.path().join("ca.pem"), &authorities.iter().map(|authority| authority.der()).collect::<Vec<_>>());
        tls.ask_visitors(&ClientAuth { authorities: dir.path().join("ca.pem"), is_required, tells_chain }).unwrap();
        let listener = Listener::from(TcpListener::bind("127.0.0.1:0").await.unwrap()).with_tls(tls.clone());
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        Self { tls, listener, roots, dir }
    }

    fn client(&self, shown: Option<&Shown>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(self.roots.clone());
        let mut client = match shown {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = vec![b"h2".to_vec()];
        client
    }

    /// What comes of a visit, and how its handshake was made. Both sides say a word, so that the client has what it needs to resume.
    async fn visited(&self, client: &Arc<ClientConfig>) -> std::io::Result<(Agreed, HandshakeKind)> {
        let crate::config::ListenAt::At(address) = self.listener.local().unwrap() else { panic!("no port") };
        let client = TlsConnector::from(Arc::clone(client));
        let visiting = async {
            let stream = TcpStream::connect(address).await?;
            let mut stream = client.connect(ServerName::try_from("a.example").unwrap(), stream).await?;
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            stream.read_exact(&mut [0; 2]).await?;
            std::io::Result::Ok(kind)
        };
        let answering = async {
            let (mut stream, _) = self.listener.accept().await?.open().await?;
            let agreed = std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
            stream.write_all(b"ok").await?;
            stream.flush().await?;
            std::io::Result::Ok(agreed)
        };
        let (kind, agreed) = tokio::join!(visiting, answering);
        Ok((agreed?, kind?))
    }

    async fn told(&self, shown: Option<&Shown>) -> std::io::Result<Option<Vec<(String, String)>>> {
        let (agreed, _) = self.visited(&Arc::new(self.client(shown))).await?;
        assert_eq!(agreed.protocol, Protocol::Http2);
        Ok(agreed.certificate.map(|certificate| headers(&certificate)))
    }
}

fn headers(certificate: &ClientCertificate) -> Vec<(String, String)> {
    let mut headers = http::HeaderMap::new();
    certificate.put_into(&mut headers);
    headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn sequence(der: &[u8]) -> String {
    format!(":{}:", base64::prelude::BASE64_STANDARD.encode(der))
}

#[tokio::test]
async fn a_certificate_is_told_as_it_was_shown_and_nobody_needs_one() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let server = Server::start(&[&one, &other], false, false).await;
    assert_eq!(server.told(None).await.unwrap(), None);
    for authority in [&one, &other] {
        let shown = authority.signs("ada.example");
        let told = server.told(Some(&shown)).await.unwrap().unwrap();
        assert_eq!(told, [("client-cert".to_owned(), sequence(&shown.0[0]))]);
    }
    let foreign = Authority::new("one").signs("ada.example");
    assert!(server.told(Some(&foreign)).await.is_err(), "another authority of the same name");
}

#[tokio::test]
async fn who_must_have_a_certificate_and_has_none_is_refused_in_the_handshake() {
    let authority = Authority::new("one");
    let server = Server::start(&[&authority], true, false).await;
    let refused = server.told(None).await.unwrap_err().to_string();
    assert!(refused.contains("peer sent no certificates"), "{refused}");
    assert!(server.told(Some(&authority.signs("ada.example"))).await.unwrap().is_some());
    let operators = Server {
        listener: Listener::from(TcpListener::bind("127.0.0.1:0").await.unwrap()).with_tls(server.tls.without_asking()),
        ..server
    };
    assert_eq!(operators.told(None).await.unwrap(), None, "they have a token");
}

#[tokio::test]
async fn a_session_that_is_resumed_keeps_its_certificate() {
    let authority = Authority::new("one");
    let server = Server::start(&[&authority], false, false).await;
    let shown = authority.signs("ada.example");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(server.roots.clone());
        let mut client = builder.with_client_auth_cert(shown.0.clone(), shown.1.clone_key()).unwrap();
        client.resumption = Resumption::in_memory_sessions(8);
        let client = Arc::new(client);
        let (first, how) = server.visited(&client).await.unwrap();
        assert_ne!(how, HandshakeKind::Resumed);
        let (second, how) = server.visited(&client).await.unwrap();
        assert_eq!((how, &second), (HandshakeKind::Resumed, &first), "{:?}", version.version);
        assert_eq!(headers(&second.certificate.unwrap())[0].1, sequence(&shown.0[0]));
        // Who signed it is believed no more: neither is the session.
        write(&server.dir.path().join("ca.pem"), &[Authority::new("next").der()]);
        assert!(server.tls.reload().is_empty());
        assert!(server.visited(&client).await.is_err());
        write(&server.dir.path().join("ca.pem"), &[authority.der()]);
        assert!(server.tls.reload().is_empty());
    }
}

#[test]
fn a_visitor_is_looked_at_again_once_the_handshake_is_over() {
    let (authority, dir) = (Authority::new("one"), tempfile::tempdir().unwrap());
    let path = dir.path().join("ca.pem");
    write(&path, &[authority.der()]);
    let clients = |is_required| Clients::read(&ClientAuth { authorities: path.clone(), is_required, tells_chain: false }).unwrap();
    assert_eq!(clients(false).take(&[], false), Ok(None));
    assert_eq!(clients(true).take(&[], false), Err("the visitor showed no certificate"), "however it came so far");
    let (shown, _) = authority.signs("ada.example");
    assert!([false, true].map(|is_resumed| clients(true).take(&shown, is_resumed).unwrap().is_some()) == [true; 2]);
    let mut over = params("ada.example");
    over.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    over.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let over = over.signed_by(&KeyPair::generate().unwrap(), &authority.0).unwrap();
    assert!(
        clients(false).take(&[over.der().clone()], true).unwrap_err().contains("does not hold any more"),
        "its session is over with it"
    );
}

#[tokio::test]
async fn only_those_above_a_certificate_that_lead_to_an_authority_are_told() {
    let root = Authority::new("root");
    let (middle, other) = (root.below("middle"), root.below("other"));
    let low = middle.below("low");
    let (mut chain, key) = low.signs("ada.example");
    // As anybody may send them: in another order, and with some that have nothing to do with it.
    chain.extend([other.der(), middle.der(), Authority::new("evil").der(), low.der(), root.der()]);
    let shown = (chain, key);
    let telling = Server::start(&[&root], true, true).await;
    let told = telling.told(Some(&shown)).await.unwrap().unwrap();
    assert_eq!(told[1], ("client-cert-chain".to_owned(), format!("{}, {}", sequence(&low.der()), sequence(&middle.der()))));
    let silent = Server::start(&[&root], true, false).await;
    assert_eq!(silent.told(Some(&shown)).await.unwrap().unwrap().len(), 1, "nobody wants to know");
    assert_eq!(telling.told(Some(&root.signs("ada.example"))).await.unwrap().unwrap().len(), 1, "there are none");
}

#[tokio::test]
async fn authorities_are_exchanged_while_the_server_runs_and_a_bad_file_loses_none() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let server = Server::start(&[&before], true, false).await;
    let (old, new) = (before.signs("ada.example"), after.signs("ada.example"));
    let path = server.dir.path().join("ca.pem");
    assert_eq!(server.tls.changed().last().unwrap()[0].0, path);
    std::fs::write(&path, "nothing").unwrap();
    let faults = server.tls.reload();
    assert!(faults.len() == 1 && faults[0].to_string().contains("with --tls-client-ca"), "{faults:?}");
    assert!(server.told(Some(&old)).await.is_ok() && server.told(Some(&new)).await.is_err());
    write(&path, &[after.der()]);
    assert!(server.tls.reload().is_empty());
    assert!(server.told(Some(&old)).await.is_err() && server.told(Some(&new)).await.is_ok());
}

#[tokio::test]
async fn who_looks_whether_a_name_is_ours_needs_no_certificate() {
    let authority = Authority::new("one");
    let server = Server::start(&[&authority], true, false).await;
    let challenges = Challenges::default();
    let (chain, key) = certificate::make(vec!["a.example".to_owned()]).unwrap();
    challenges.show("a.example", certified(chain.clone(), key).unwrap());
    let tls = Tls::awaiting(challenges).unwrap();
    tls.ask_visitors(&ClientAuth { authorities: server.dir.path().join("ca.pem"), is_required: true, tells_chain: false }).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let listener = Listener::from(TcpListener::bind("127.0.0.1:0").await.unwrap()).with_tls(tls);
    let server = Server { listener, roots, ..server };
    let mut client = server.client(None);
    client.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let looked = server.visited(&Arc::new(client)).await.unwrap_err().to_string();
    assert!(looked.contains("looked at a name"), "{looked}");
    // Who would speak something else, too, is a visitor like any other.
    let mut both = server.client(None);
    both.alpn_protocols = vec![b"h2".to_vec(), b"acme-tls/1".to_vec()];
    assert!(server.visited(&Arc::new(both)).await.is_err());
    assert!(server.told(None).await.is_err(), "there is no certificate for visitors yet");
}

#[test]
fn what_is_of_no_authority_is_named_with_what_to_give() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let fault =
        || Clients::read(&ClientAuth { authorities: path.clone(), is_required: false, tells_chain: false }).unwrap_err().to_string();
    assert!(fault().contains("ca.pem cannot be read"));
    std::fs::write(&path, "text").unwrap();
    assert!(fault().contains("give those of the authorities that sign your visitors' certificates"));
    let mut leaf = params("ada.example");
    leaf.is_ca = IsCa::ExplicitNoCa;
    let leaf = leaf.self_signed(&KeyPair::generate().unwrap()).unwrap();
    write(&path, &[Authority::new("one").der(), leaf.der().clone()]);
    let said = fault();
    assert!(said.contains("certificate 2 in") && said.contains("it may sign no others"), "{said}");
    let broken = CertificateDer::from(vec![1, 2, 3]);
    write(&path, &[broken]);
    assert!(fault().contains("certificate 1 in"));
    let long = "x".repeat(60);
    let many: Vec<_> = (0..CLIENT_AUTHORITIES_LEN_MAX / 60).map(|_| Authority::new(&long).der()).collect();
    write(&path, &many);
    assert!(fault().contains("more than a handshake can name"));
}
