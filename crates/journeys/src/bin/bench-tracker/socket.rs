//! WebSockets of visitors who each have an address of their own: 127.0.0.0/8 is as good as one machine each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// A stream, over TLS or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// The way to a server.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) to: SocketAddr,
    tls: Option<TlsConnector>,
    /// What a page's answer gave, if it was asked for: leave to register.
    ticket: Option<HeaderValue>,
}

impl Way {
    /// To this address; over TLS where the server's certificate is given.
    pub(crate) fn new(to: SocketAddr, certificate: Option<&Path>) -> anyhow::Result<Self> {
        let tls = certificate.map(|path| -> anyhow::Result<TlsConnector> {
            let expected = CertificateDer::from_pem_file(path).with_context(|| format!("no certificate in {}", path.display()))?;
            let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Exactly(expected)))
                .with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(TlsConnector::from(Arc::new(config)))
        });
        Ok(Self { to, tls: tls.transpose()?, ticket: None })
    }

    /// The same for somebody who was answered with the page `/`, and may register for it.
    pub(crate) async fn with_ticket(mut self) -> anyhow::Result<Self> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.stream(0).await?)).await?;
        tokio::spawn(connection);
        let asked = Request::head("/").header(header::HOST, self.to.to_string()).header("sec-fetch-site", "same-origin");
        let answer = sender.send_request(asked.body(Empty::<Bytes>::new())?).await?;
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok()?.split(';').next());
        let ticket = cookies.into_iter().find(|cookie| cookie.starts_with("viral-join="));
        self.ticket = ticket.map(HeaderValue::try_from).transpose()?;
        Ok(self)
    }

    /// The site there, as browsers name it.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.to)
    }

    /// A connection of the visitor of this number.
    pub(crate) async fn stream(&self, number: u32) -> anyhow::Result<Box<dyn Stream>> {
        let tcp = connected(self.to, number).await?;
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, tcp).await?),
            None => Box::new(tcp),
        })
    }

    /// A WebSocket of the visitor of this number.
    pub(crate) async fn socket(&self, number: u32, path: &str) -> anyhow::Result<Socket> {
        let stream = self.stream(number).await?;
        let mut request = format!("ws://{}{path}", self.to).into_client_request()?;
        request.headers_mut().insert("origin", self.origin().parse()?);
        request.headers_mut().insert("x-forwarded-for", address(number).to_string().parse()?);
        if let Some(ticket) = &self.ticket {
            request.headers_mut().insert(header::COOKIE, ticket.clone());
        }
        let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
        Ok(client_async_with_config(request, stream, Some(config)).await?.0)
    }
}

/// What a believed proxy says of where the visitor of this number comes from.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    let [_, a, b, c] = number.to_be_bytes();
    Ipv4Addr::new(11, a, b, c)
}

async fn connected(to: SocketAddr, number: u32) -> anyhow::Result<TcpStream> {
    let [_, a, b, c] = number.to_be_bytes();
    let tcp = TcpSocket::new_v4()?;
    tcp.bind(SocketAddr::from(([127, 1 + a % 250, b, c], 0)))?;
    let tcp = tcp.connect(to).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Believes one certificate, and no other.
#[derive(Debug)]
struct Exactly(CertificateDer<'static>);

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".to_owned()))
        }
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
