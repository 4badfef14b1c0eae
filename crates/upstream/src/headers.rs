//! Headers that are between us and one neighbour, and what we tell the other server of the visitor.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use viral_server::{ClientCertificate, OWN_COOKIES, Visitor};

/// What counts for one connection only (RFC 9110 section 7.6.1), besides what `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What we are called in `Via`.
const VIA: &str = "1.1 viral";

/// Takes out what counts for one connection only. Returns the protocol that an upgrade asks for or agrees to.
pub(crate) fn take_hop_by_hop(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let named: Vec<HeaderName> = values_of(headers, &header::CONNECTION).filter_map(|name| name.parse().ok()).collect();
    let upgrade = named.contains(&header::UPGRADE).then(|| headers.get(header::UPGRADE).cloned()).flatten();
    let wants_trailers = values_of(headers, &header::TE).any(|coding| coding.eq_ignore_ascii_case("trailers"));
    for name in HOP_BY_HOP.iter().chain(&named).chain([&header::UPGRADE]) {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

/// Says again that the protocol is to be changed.
pub(crate) fn put_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Takes out what a visitor says of itself, in headers or in trailers.
pub(crate) fn take_words_on_visitor(headers: &mut HeaderMap) {
    let names_visitor = |name: &&HeaderName| {
        // Some servers take `X_Forwarded_For` for the same.
        let name = name.as_str().replace('_', "-");
        matches!(name.as_str(), "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-")
    };
    let said: Vec<HeaderName> = headers.keys().filter(names_visitor).cloned().collect();
    for name in said {
        headers.remove(name);
    }
    ClientCertificate::remove_from(headers);
}

/// Tells the other server who asks. What a visitor itself says of that is not passed on; what a trusted proxy says is.
pub(crate) fn tell_visitor(headers: &mut HeaderMap, visitor: &Visitor) {
    let proto = if visitor.over_tls { "https" } else { "http" };
    // As far as the header that is trusted tells: any other may be the visitor's own.
    let hops =
        if visitor.address == visitor.socket { visitor.socket.to_string() } else { format!("{}, {}", visitor.address, visitor.socket) };
    take_words_on_visitor(headers);
    let forwarded = format!("for={};host=\"{}\";proto={proto}", node(visitor.address), visitor.host.replace(['"', '\\'], ""));
    let told = [
        (X_FORWARDED_FOR, hops),
        (X_FORWARDED_PROTO, proto.to_owned()),
        (X_FORWARDED_HOST, visitor.host.clone()),
        (header::FORWARDED, forwarded),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    if let Some(certificate) = &visitor.certificate {
        certificate.put_into(headers);
    }
    add_via(headers);
}

/// Tells the other server that somebody asks whom it does not know, from an address that is nobody's (RFC 5737): it may trust this machine more than others.
pub(crate) fn tell_stranger(headers: &mut HeaderMap, host: &HeaderValue, over_tls: bool) {
    headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(if over_tls { "https" } else { "http" }));
    headers.insert(X_FORWARDED_HOST, host.clone());
}

/// Says that the message passed us.
pub(crate) fn add_via(headers: &mut HeaderMap) {
    headers.append(header::VIA, HeaderValue::from_static(VIA));
}

/// Takes out cookies of ours, which are no business of the app behind.
pub(crate) fn take_own_cookies(headers: &mut HeaderMap) {
    let is_own = |pair: &str| pair.split('=').next().is_some_and(|name| OWN_COOKIES.contains(&name.trim()));
    let all: Vec<&str> =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';')).collect();
    if !all.iter().any(|pair| is_own(pair)) {
        return;
    }
    let kept = all.into_iter().map(str::trim).filter(|pair| !pair.is_empty() && !is_own(pair)).collect::<Vec<_>>().join("; ");
    headers.remove(header::COOKIE);
    if let Some(value) = HeaderValue::try_from(kept).ok().filter(|value| !value.is_empty()) {
        headers.insert(header::COOKIE, value);
    }
}

/// All values of a header, joined by commas.
pub(crate) fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(", ")
}

fn values_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// An address as RFC 7239 section 6 writes it.
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn visitor() -> Visitor {
        Visitor {
            address: [192, 0, 2, 7].into(),
            socket: [192, 0, 2, 7].into(),
            is_proxied: false,
            over_tls: true,
            host: "a.example".to_owned(),
            certificate: None,
        }
    }

    #[test]
    fn what_counts_for_one_connection_is_not_passed_on() {
        let mut headers = map(&[
            ("connection", "close, X-Own, upgrade"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic x"),
            ("upgrade", "websocket"),
            ("x-app", "2"),
        ]);
        assert_eq!(take_hop_by_hop(&mut headers), Some(HeaderValue::from_static("websocket")));
        assert_eq!(headers, map(&[("x-app", "2"), ("te", "trailers")]));
        put_upgrade(&mut headers, HeaderValue::from_static("websocket"));
        assert_eq!(
            (&headers["connection"], &headers["upgrade"]),
            (&HeaderValue::from_static("upgrade"), &HeaderValue::from_static("websocket"))
        );
        let mut without = map(&[("upgrade", "h2c")]);
        assert_eq!(take_hop_by_hop(&mut without), None, "nobody asked for it on this connection");
        assert!(without.is_empty());
    }

    #[test]
    fn a_visitor_cannot_say_that_it_is_somebody_else() {
        let mut headers = map(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x_forwarded_for", "10.0.0.2"),
            ("x-real-ip", "10.0.0.3"),
        ]);
        tell_visitor(&mut headers, &visitor());
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "a.example");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;host=\"a.example\";proto=https");
        assert_eq!(headers["via"], "1.1 viral");
        assert!(!headers.contains_key("x_forwarded_for") && !headers.contains_key("x-real-ip"));
    }

    #[test]
    fn a_trusted_proxy_is_one_more_hop() {
        let mut headers = map(&[("x-forwarded-for", "2001:db8::1"), ("via", "1.1 front")]);
        let proxied = Visitor { address: "2001:db8::1".parse().unwrap(), socket: [10, 0, 0, 2].into(), is_proxied: true, ..visitor() };
        tell_visitor(&mut headers, &proxied);
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1, 10.0.0.2");
        assert!(headers["forwarded"].to_str().unwrap().starts_with("for=\"[2001:db8::1]\""));
        assert_eq!(joined(&headers, &header::VIA), "1.1 front, 1.1 viral");
    }

    #[test]
    fn cookies_of_ours_stay_here() {
        let mut headers =
            map(&[("cookie", "a=1; viral-version=abc; viral=off;b=2"), ("cookie", "viral-visit=3; viral-join=4; viral-save=1")]);
        take_own_cookies(&mut headers);
        assert_eq!(headers["cookie"], "a=1; b=2");
        let mut only = map(&[("cookie", "viral-visit=3")]);
        take_own_cookies(&mut only);
        assert!(!only.contains_key("cookie"));
        let mut foreign = map(&[("cookie", "viralish=1")]);
        take_own_cookies(&mut foreign);
        assert_eq!(foreign["cookie"], "viralish=1");
    }
}
