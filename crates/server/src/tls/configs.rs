//! How handshakes are made: which protocols are offered, what is shown, and who is asked for a certificate.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::challenges::{self, Challenges};
use super::clients::Clients;
use super::handshake::{HTTP_2, HTTP_11, TlsStream};
use super::names::{ByName, OfSite};
use super::shown::Shown;
use super::sites::SiteCertificate;
use crate::protocol::Protocol;

/// For each of those who connect.
pub(super) struct Configs {
    /// Of visitors who are asked for a certificate, and of which authorities; none where nobody is.
    asking: Option<(Spoken, Arc<Clients>)>,
    /// Of all others.
    plain: Spoken,
    /// Whether a certificate authority may come that proves a name and has no certificate.
    has_challenges: bool,
}

/// By what is spoken at most.
struct Spoken {
    http2: Arc<ServerConfig>,
    http1: Arc<ServerConfig>,
}

impl Configs {
    pub(super) fn of(shown: &Shown, challenges: Option<&Challenges>) -> Result<Self, rustls::Error> {
        let certificates = shown.certificates.iter().flatten().map(|certificate| Arc::clone(&certificate.certified)).collect();
        let of_site = |site: &SiteCertificate| OfSite {
            host: site.site.host.clone(),
            is_default: site.site.is_default,
            certified: site.certificate.as_ref().map(|certificate| Arc::clone(&certificate.certified)),
        };
        let sites = shown.sites.iter().map(of_site).collect();
        let by_name = Arc::new(ByName::new(certificates, sites, challenges.cloned()));
        let has_challenges = challenges.is_some();
        // Sessions are resumed by who came under the same terms only: each has a store of its own.
        let spoken = |clients| Spoken::of(&by_name, has_challenges, clients);
        let asking = match &shown.clients {
            Some(clients) => Some((spoken(Some(clients.as_ref()))?, Arc::clone(clients))),
            None => None,
        };
        Ok(Self { asking, plain: spoken(None)?, has_challenges })
    }

    /// A connection of somebody who `is_visitor`: then it is asked for a certificate, if anybody is.
    pub(super) fn accept(&self, stream: TcpStream, newest: Protocol, is_visitor: bool) -> TlsStream {
        let plain = self.plain.at_most(newest);
        let Some((asking, clients)) = self.asking.as_ref().filter(|_| is_visitor) else {
            return TlsStream::new(TlsAcceptor::from(plain).accept(stream), None);
        };
        let (asking, clients) = (asking.at_most(newest), Arc::clone(clients));
        if self.has_challenges && clients.auth.is_required {
            let lazy = LazyConfigAcceptor::new(Acceptor::default(), stream);
            return TlsStream::choosing(lazy, asking, plain, clients);
        }
        TlsStream::new(TlsAcceptor::from(asking).accept(stream), Some(clients))
    }
}

impl Spoken {
    fn of(by_name: &Arc<ByName>, has_challenges: bool, clients: Option<&Clients>) -> Result<Self, rustls::Error> {
        let mut older = vec![HTTP_11.to_vec()];
        if has_challenges {
            older.push(challenges::ALPN.to_vec());
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(&clients.verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut http1 = builder.with_cert_resolver(Arc::clone(by_name) as _);
        let mut http2 = http1.clone();
        http2.alpn_protocols = [vec![HTTP_2.to_vec()], older.clone()].concat();
        http1.alpn_protocols = older;
        Ok(Self { http2: Arc::new(http2), http1: Arc::new(http1) })
    }

    fn at_most(&self, newest: Protocol) -> Arc<ServerConfig> {
        Arc::clone(match newest {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        })
    }
}
