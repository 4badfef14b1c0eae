//! Who asks, as the connection tells it, and which address its peers may be told.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::Extensions;
use http::request::Parts;
use viral_swarm::ice_candidates::is_private;
use viral_swarm::request::forwarded::{came_over_tls, client_ip, hosts};
use viral_swarm::request::{Proxies, Socket};

use crate::client_certificate::ClientCertificate;
use crate::config::{Config, RewriteLocal, TrustedProxy};

/// Who is at the other end of the connection, for handlers.
pub(crate) struct AskedBy(pub(crate) Socket);

/// As our own listener or axum noted it. No request comes further than [`Viral::service`](crate::Viral::service) without.
pub(crate) fn socket_of(request: &Parts) -> Socket {
    noted_socket(&request.extensions).unwrap_or(Socket::At(Ipv4Addr::UNSPECIFIED.into()))
}

/// The same, if anybody noted it.
pub(crate) fn noted_socket(extensions: &Extensions) -> Option<Socket> {
    let by_axum = || extensions.get::<ConnectInfo<SocketAddr>>().map(|info| Socket::At(info.0.ip()));
    extensions.get::<Socket>().copied().or_else(by_axum)
}

/// The proxies that the settings name.
pub(crate) fn trusted_proxies(config: &Config) -> Proxies {
    let networks = config.trust_proxy.iter().filter_map(|proxy| if let TrustedProxy::At(network) = proxy { Some(*network) } else { None });
    Proxies {
        networks: networks.collect(),
        unix: config.trust_proxy.contains(&TrustedProxy::Unix),
        header: config.trust_proxy_header.0.clone(),
        tell_client_cert: config.trust_proxy_client_cert,
    }
}

/// Who asks, for a service behind a [`ViralLayer`](crate::ViralLayer): in the extensions of each request that it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The visitor's address, as far as trusted proxies tell.
    pub address: IpAddr,
    /// The other end of the connection: the visitor, or the nearest proxy.
    pub socket: IpAddr,
    /// Whether that is a trusted proxy.
    pub is_proxied: bool,
    /// Whether the visitor came over TLS.
    pub over_tls: bool,
    /// The host under which the visitor came, with the port if there was one.
    pub host: String,
    /// The certificate that the visitor showed, if it was asked for one.
    pub certificate: Option<ClientCertificate>,
}

impl Visitor {
    /// Who makes this request.
    pub(crate) fn of(request: &Parts, trusted: &Proxies) -> Self {
        let (socket, headers) = (socket_of(request), &request.headers);
        Self {
            address: client_ip(socket, headers, trusted),
            socket: socket.address(),
            is_proxied: trusted.are(socket),
            over_tls: came_over_tls(socket, headers, trusted),
            host: hosts(socket, headers, trusted).first().copied().unwrap_or_default().to_owned(),
            certificate: request.extensions.get().cloned(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for AskedBy {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(socket_of(request)))
    }
}

/// The address that replaces the visitor's `.local` candidates before they are relayed, if the rule allows one.
///
/// A visitor on this very machine is reachable for others at `own_address`, this machine's address of the same family.
pub(crate) fn rewrite_address(client: IpAddr, rule: RewriteLocal, own_address: impl Fn(IpAddr) -> Option<IpAddr>) -> Option<IpAddr> {
    let allowed = |addr: &IpAddr| match rule {
        RewriteLocal::Never => false,
        RewriteLocal::Private => is_private(*addr),
        RewriteLocal::Always => !addr.is_unspecified(),
    };
    let address = if client.is_loopback() { own_address(client) } else { Some(client) };
    address.filter(|addr| rule != RewriteLocal::Never && allowed(addr) && !addr.is_loopback())
}

/// This machine's address on its default route, of the family of `like`. Asks the routing table; no packet leaves.
pub(crate) fn primary_address(like: IpAddr) -> Option<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): routed like any other, never reached.
    let (bind, target) = match like {
        IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
    };
    let socket = UdpSocket::bind((bind, 0)).ok()?;
    socket.connect((target, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn local_names_are_replaced_by_private_addresses_only_unless_told_otherwise() {
        let own = |_| Some(ip("192.168.1.9"));
        let table = [
            ("192.168.1.4", RewriteLocal::Private, Some("192.168.1.4")),
            ("fd00::4", RewriteLocal::Private, Some("fd00::4")),
            ("fe80::4", RewriteLocal::Private, Some("fe80::4")),
            ("193.0.6.139", RewriteLocal::Private, None),
            ("193.0.6.139", RewriteLocal::Always, Some("193.0.6.139")),
            ("192.168.1.4", RewriteLocal::Never, None),
            ("100.64.0.1", RewriteLocal::Private, Some("100.64.0.1")),
            ("100.128.0.1", RewriteLocal::Private, None),
            ("192.0.2.2", RewriteLocal::Private, Some("192.0.2.2")),
            ("198.20.0.1", RewriteLocal::Private, None),
            ("2001:db8::1", RewriteLocal::Private, Some("2001:db8::1")),
            ("127.0.0.1", RewriteLocal::Private, Some("192.168.1.9")),
        ];
        for (client, rule, expected) in table {
            assert_eq!(rewrite_address(ip(client), rule, own), expected.map(ip), "{client} {rule:?}");
        }
        assert_eq!(rewrite_address(ip("127.0.0.1"), RewriteLocal::Private, |_| Some(ip("193.0.6.139"))), None);
        assert_eq!(rewrite_address(ip("::1"), RewriteLocal::Always, |_| None), None);
    }
}
