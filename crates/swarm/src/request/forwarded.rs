//! Who asks behind proxies: the visitor's address, name and scheme, as far as those proxies tell whom the operator trusts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

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
pub enum Socket {
    /// This address.
    At(IpAddr),
    /// The same over TLS of our own.
    Tls(IpAddr),
    /// This address, and whether over TLS, as a proxy said by the PROXY protocol: whoever is there is a visitor, and not believed for whom it asks.
    Named(IpAddr, bool),
    /// A program on this machine, through a Unix socket: a proxy.
    Unix,
}

impl Socket {
    /// Whether the connection is over TLS of our own.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls(_) | Self::Named(_, true))
    }

    /// Its address: that of this machine for a program on it.
    pub fn address(self) -> IpAddr {
        match self {
            Self::At(address) | Self::Named(address, _) | Self::Tls(address) => address.to_canonical(),
            Self::Unix => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// Where they are.
    pub networks: Vec<IpNet>,
    /// Whether those that come through a Unix socket are.
    pub unix: bool,
    /// The one header in which they say for whom they ask. Any other may be the visitor's own.
    pub header: HeaderName,
    /// Whether they say which certificate the visitor showed them.
    pub tell_client_cert: bool,
}

impl Proxies {
    fn are_at(&self, addr: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&addr))
    }

    /// Whether the other end of a connection is one of them.
    pub fn are(&self, socket: Socket) -> bool {
        match socket {
            Socket::At(_) | Socket::Tls(_) => self.are_at(socket.address()),
            Socket::Named(..) => false,
            Socket::Unix => self.unix,
        }
    }

    /// What tells which certificate the visitor showed.
    pub fn certificate_from(&self, socket: Socket) -> CertificateFrom {
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

/// What tells which certificate a visitor showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFrom {
    /// The handshake of the connection.
    Connection,
    /// Headers, which a proxy set.
    Headers,
    /// Nothing: at the other end is a proxy, whose own is not the visitor's.
    Nowhere,
}

/// The address of the visitor: the socket's, or what trusted proxies say in their header.
///
/// The list is read from its end; the first address that is not a trusted proxy is the visitor's (RFC 7239 section 7.4).
pub fn client_ip(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> IpAddr {
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
pub enum ProxyFault {
    /// It says for whom it was made, and whoever says so is not believed.
    Untrusted,
    /// A proxy that is believed does not say in its header for whom it asks.
    Silent,
}

/// Whether a request came from a proxy whose visitors cannot be told from each other.
pub fn proxy_fault(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> Option<ProxyFault> {
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
pub fn came_over_tls(socket: Socket, headers: &HeaderMap, trusted: &Proxies) -> bool {
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
pub fn hosts<'a>(socket: Socket, headers: &'a HeaderMap, trusted: &Proxies) -> Vec<&'a str> {
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

#[cfg(test)]
mod tests;
