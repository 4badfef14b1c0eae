//! Who asks: the client's address behind trusted proxies, and which address its peers may be told.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::client_certificate::{CertificateFrom, ClientCertificate};
use crate::config::{Config, RewriteLocal, TrustedProxy};

/// Whether the visitor came over TLS, as nearly all proxies say it.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// For whom a proxy asks, as nearly all of them say it.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The same, as nginx is often told to say it.
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Under which name the visitor came, as nearly all proxies say it.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    /// This address.
    At(IpAddr),
    /// The same over TLS of our own.
    #[cfg(feature = "tls")]
    Tls(IpAddr),
    /// This address, and whether over TLS, as a proxy said by the PROXY protocol: whoever is there is a visitor, and not believed for whom it asks.
    Named(IpAddr, bool),
    /// A program on this machine, through a Unix socket: a proxy.
    Unix,
}

impl Socket {
    /// As our own listener or axum noted it. No request comes further than [`Viral::service`](crate::Viral::service) without.
    pub(crate) fn of(request: &Parts) -> Self {
        Self::noted(&request.extensions).unwrap_or(Self::At(Ipv4Addr::UNSPECIFIED.into()))
    }

    /// The same, if anybody noted it.
    pub(crate) fn noted(extensions: &Extensions) -> Option<Self> {
        let by_axum = || extensions.get::<ConnectInfo<SocketAddr>>().map(|info| Self::At(info.0.ip()));
        extensions.get::<Self>().copied().or_else(by_axum)
    }

    /// Whether the connection is over TLS of our own.
    pub(crate) fn is_tls(self) -> bool {
        #[cfg(feature = "tls")]
        let is_tls = matches!(self, Self::Tls(_) | Self::Named(_, true));
        #[cfg(not(feature = "tls"))]
        let is_tls = matches!(self, Self::Named(_, true));
        is_tls
    }

    /// Its address: that of this machine for a program on it.
    pub(crate) fn address(self) -> IpAddr {
        match self {
            Self::At(address) | Self::Named(address, _) => address.to_canonical(),
            #[cfg(feature = "tls")]
            Self::Tls(address) => address.to_canonical(),
            Self::Unix => Ipv4Addr::LOCALHOST.into(),
        }
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
        let (socket, headers) = (Socket::of(request), &request.headers);
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

impl<S: Sync> FromRequestParts<S> for Socket {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(request))
    }
}

/// Whether this is a native peer: what its `User-Agent` begins with says so.
pub(crate) fn is_native_peer(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"viral/"))
}

/// Whether the visitor asks for privacy: `Sec-GPC: 1` (Global Privacy Control).
pub(crate) fn asks_for_privacy(headers: &HeaderMap) -> bool {
    headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1")
}

/// The proxies that are believed.
#[derive(Debug, Clone)]
pub(crate) struct Proxies {
    /// Where they are.
    pub(crate) networks: Vec<IpNet>,
    /// Whether those that come through a Unix socket are.
    pub(crate) unix: bool,
    /// The one header in which they say for whom they ask. Any other may be the visitor's own.
    pub(crate) header: HeaderName,
    /// Whether they say which certificate the visitor showed them.
    pub(crate) tell_client_cert: bool,
}

impl Proxies {
    /// Those that the settings name.
    pub(crate) fn of(config: &Config) -> Self {
        let networks =
            config.trust_proxy.iter().filter_map(|proxy| if let TrustedProxy::At(network) = proxy { Some(*network) } else { None });
        Self {
            networks: networks.collect(),
            unix: config.trust_proxy.contains(&TrustedProxy::Unix),
            header: config.trust_proxy_header.0.clone(),
            tell_client_cert: config.trust_proxy_client_cert,
        }
    }

    fn are_at(&self, addr: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&addr))
    }

    /// Whether the other end of a connection is one of them.
    pub(crate) fn are(&self, socket: Socket) -> bool {
        match socket {
            Socket::At(_) => self.are_at(socket.address()),
            Socket::Named(..) => false,
            #[cfg(feature = "tls")]
            Socket::Tls(_) => self.are_at(socket.address()),
            Socket::Unix => self.unix,
        }
    }

    /// What tells which certificate the visitor showed.
    pub(crate) fn certificate_from(&self, socket: Socket) -> CertificateFrom {
        match (self.are(socket), self.tell_client_cert) {
            (false, _) => CertificateFrom::Connection,
            (true, true) => CertificateFrom::Headers,
            (true, false) => CertificateFrom::Nowhere,
        }
    }

    fn say_forwarded(&self) -> bool {
        self.header == header::FORWARDED
    }
}

/// The address of the visitor: the socket's, or what trusted proxies say in their header.
///
/// The list is read from its end; the first address that is not a trusted proxy is the visitor's (RFC 7239 section 7.4).
pub(crate) fn client_ip(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> IpAddr {
    let mut client = socket.address();
    let mut is_proxy = trusted.are(socket);
    let mut hops = elements(headers, &trusted.header);
    while is_proxy {
        let hop = hops.pop().and_then(|hop| if trusted.say_forwarded() { parse_hop(parameter(hop, "for")?) } else { parse_hop(hop) });
        let Some(addr) = hop else { break };
        client = addr.to_canonical();
        is_proxy = trusted.are_at(client);
    }
    client
}

/// What the operator should know of how a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyFault {
    /// It says for whom it was made, and whoever says so is not believed.
    Untrusted,
    /// A proxy that is believed does not say in its header for whom it asks.
    Silent,
}

/// Whether a request came from a proxy whose visitors cannot be told from each other.
pub(crate) fn proxy_fault(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> Option<ProxyFault> {
    if trusted.are(socket) {
        let client = client_ip(socket, headers, trusted);
        let names_nobody = client == socket.address() && elements(headers, &trusted.header).is_empty();
        return (names_nobody || trusted.are_at(client)).then_some(ProxyFault::Silent);
    }
    // Of a socket whose proxy is not believed the operator hears at the start.
    if socket == Socket::Unix {
        return None;
    }
    let names = [&trusted.header, &header::FORWARDED, &X_FORWARDED_FOR, &X_REAL_IP];
    names.iter().any(|name| headers.contains_key(*name)).then_some(ProxyFault::Untrusted)
}

/// True when a trusted proxy says that the visitor came over TLS: in `Forwarded` if that is its header, else in `X-Forwarded-Proto`.
pub(crate) fn came_over_tls(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> bool {
    if !trusted.are(socket) {
        return socket.is_tls();
    }
    let said = if trusted.say_forwarded() {
        elements(headers, &trusted.header).pop().and_then(|last| parameter(last, "proto"))
    } else {
        elements(headers, &X_FORWARDED_PROTO).pop()
    };
    said.is_some_and(|said| said.trim().trim_matches('"').eq_ignore_ascii_case("https"))
}

/// The names under which a request came: its `Host`, and what a trusted proxy says that it was before (`Forwarded` if that is its header, else `X-Forwarded-Host`).
pub(crate) fn hosts<'a>(socket: Socket, headers: &'a HeaderMap, trusted: &Proxies) -> Vec<&'a str> {
    let mut hosts = Vec::new();
    if trusted.are(socket) {
        if trusted.say_forwarded() {
            hosts.extend(elements(headers, &trusted.header).into_iter().filter_map(|element| parameter(element, "host")));
        } else {
            hosts.extend(elements(headers, &X_FORWARDED_HOST));
        }
    }
    let hosts = hosts.into_iter().map(|host| host.trim().trim_matches('"'));
    hosts.chain(headers.get(header::HOST).and_then(|host| host.to_str().ok())).collect()
}

/// The elements of a list header, in order, over all its lines.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or_default().split(',')).collect()
}

/// The value of a parameter of one element of `Forwarded`.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// `1.2.3.4`, `1.2.3.4:5`, `[::1]`, `[::1]:5`, `::1`, any of them quoted.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(addr, _)| addr);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
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

/// Addresses that mean nothing outside their own network, so that telling them to a peer tells it nothing about anybody (RFC 6890): private, unique
/// local, link-local, those behind a carrier's NAT, and those set aside for documentation and benchmarks, which laboratories use.
pub(crate) fn is_private(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => {
            let [a, b, ..] = addr.octets();
            let (is_shared, is_benchmark) = (a == 100 && b & 0xc0 == 64, a == 198 && b & 0xfe == 18);
            addr.is_private() || addr.is_link_local() || addr.is_documentation() || is_shared || is_benchmark
        }
        IpAddr::V6(addr) => {
            let is_documentation = addr.segments()[..2] == [0x2001, 0xdb8];
            addr.is_unique_local() || addr.is_unicast_link_local() || is_documentation
        }
    }
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

    fn at(text: &str) -> Socket {
        Socket::At(ip(text))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn proxies(header: &'static str) -> Proxies {
        Proxies {
            networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            unix: false,
            header: HeaderName::from_static(header),
            tell_client_cert: false,
        }
    }

    #[test]
    fn a_unix_socket_is_a_proxy_of_this_machine_and_believed_only_if_the_operator_says_so() {
        let said =
            headers(&[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.2.2.2"), ("x-forwarded-proto", "https"), ("host", "a.example")]);
        let mut proxies = proxies("x-forwarded-for");
        assert_eq!(client_ip(Socket::Unix, &said, &proxies), ip("127.0.0.1"));
        assert!(!came_over_tls(Socket::Unix, &said, &proxies));
        proxies.unix = true;
        assert_eq!(client_ip(Socket::Unix, &said, &proxies), ip("198.51.100.7"), "behind a network that is believed, too");
        assert!(came_over_tls(Socket::Unix, &said, &proxies));
        assert_eq!(client_ip(Socket::Unix, &headers(&[]), &proxies), ip("127.0.0.1"));
        assert_eq!(client_ip(at("203.0.113.5"), &said, &proxies), ip("203.0.113.5"));
    }

    #[test]
    fn the_client_is_the_first_untrusted_hop_from_the_end() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let table: &[Row] = &[
            ("203.0.113.5", &[("x-forwarded-for", "1.1.1.1")], "203.0.113.5"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.7")], "198.51.100.7"),
            ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.2.2.2")], "198.51.100.7"),
            ("10.0.0.1", &[("x-forwarded-for", "198.51.100.7:4711")], "198.51.100.7"),
            ("10.0.0.1", &[("x-forwarded-for", "nonsense")], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
            ("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ];
        for (socket, pairs, expected) in table {
            assert_eq!(client_ip(at(socket), &headers(pairs), &proxies("x-forwarded-for")), ip(expected), "{socket} {pairs:?}");
        }
    }

    #[test]
    fn only_the_header_that_the_operator_named_is_read() {
        let both = headers(&[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "198.51.100.7"), ("x-real-ip", "192.0.2.9")]);
        for (named, expected) in
            [("x-forwarded-for", "198.51.100.7"), ("forwarded", "1.1.1.1"), ("x-real-ip", "192.0.2.9"), ("other", "10.0.0.1")]
        {
            assert_eq!(client_ip(at("10.0.0.1"), &both, &proxies(named)), ip(expected), "{named}");
        }
        let table =
            [("for=1.1.1.1, For=\"[2001:db8::9]:80\";proto=https", "2001:db8::9"), ("for=unknown", "10.0.0.1"), ("by=1.1.1.1", "10.0.0.1")];
        for (said, expected) in table {
            assert_eq!(client_ip(at("10.0.0.1"), &headers(&[("forwarded", said)]), &proxies("forwarded")), ip(expected), "{said}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_believed_or_says_nothing_is_noticed() {
        type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], Option<ProxyFault>);
        let table: [Row; 8] = [
            ("127.0.0.1", "x-forwarded-for", &[("x-forwarded-for", "198.51.100.7")], Some(ProxyFault::Untrusted)),
            ("127.0.0.1", "x-forwarded-for", &[("x-real-ip", "198.51.100.7")], Some(ProxyFault::Untrusted)),
            ("127.0.0.1", "cf-connecting-ip", &[("cf-connecting-ip", "198.51.100.7")], Some(ProxyFault::Untrusted)),
            ("203.0.113.5", "x-forwarded-for", &[], None),
            ("10.0.0.1", "x-forwarded-for", &[("x-forwarded-for", "198.51.100.7")], None),
            ("10.0.0.1", "x-forwarded-for", &[], Some(ProxyFault::Silent)),
            ("10.0.0.1", "x-real-ip", &[("x-forwarded-for", "198.51.100.7")], Some(ProxyFault::Silent)),
            ("10.0.0.1", "x-forwarded-for", &[("x-forwarded-for", "10.0.0.2")], Some(ProxyFault::Silent)),
        ];
        for (socket, named, pairs, expected) in table {
            let pairs: HeaderMap =
                pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(proxy_fault(at(socket), &pairs, &proxies(named)), expected, "{socket} {named} {pairs:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_can_say_under_which_name_the_visitor_came() {
        let says = headers(&[
            ("host", "upstream:8080"),
            ("x-forwarded-host", "app.example, cdn.example:444"),
            ("forwarded", "for=1.1.1.1;host=\"other.example:1\""),
        ]);
        let table: [(&str, &'static str, &[&str]); 3] = [
            ("10.0.0.1", "x-forwarded-for", &["app.example", "cdn.example:444", "upstream:8080"]),
            ("10.0.0.1", "forwarded", &["other.example:1", "upstream:8080"]),
            ("203.0.113.5", "x-forwarded-for", &["upstream:8080"]),
        ];
        for (socket, named, expected) in table {
            assert_eq!(hosts(at(socket), &says, &proxies(named)), expected, "{socket} {named}");
        }
    }

    #[test]
    fn only_a_proxy_of_which_the_operator_says_so_tells_which_certificate_a_visitor_showed() {
        let silent = proxies("x-forwarded-for");
        let telling = Proxies { tell_client_cert: true, ..silent.clone() };
        for (socket, expected) in [
            (at("203.0.113.5"), [CertificateFrom::Connection; 2]),
            (at("10.0.0.1"), [CertificateFrom::Nowhere, CertificateFrom::Headers]),
            (Socket::Unix, [CertificateFrom::Connection; 2]),
            (Socket::Named(ip("10.0.0.1"), true), [CertificateFrom::Connection; 2]),
        ] {
            assert_eq!([silent.certificate_from(socket), telling.certificate_from(socket)], expected, "{socket:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_can_say_that_tls_was_used() {
        let says = headers(&[("x-forwarded-proto", "https")]);
        assert!(came_over_tls(at("10.0.0.1"), &says, &proxies("x-forwarded-for")));
        assert!(!came_over_tls(at("203.0.113.5"), &says, &proxies("x-forwarded-for")));
        assert!(!came_over_tls(at("10.0.0.1"), &says, &proxies("forwarded")));
        let says = headers(&[("forwarded", "for=1.1.1.1;proto=https")]);
        assert!(came_over_tls(at("10.0.0.1"), &says, &proxies("forwarded")));
        assert!(!came_over_tls(at("10.0.0.1"), &says, &proxies("x-forwarded-for")));
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
