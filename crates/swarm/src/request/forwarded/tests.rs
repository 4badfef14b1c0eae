//! Who is believed, and what becomes of what others say.

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
    let said = headers(&[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.2.2.2"), ("x-forwarded-proto", "https"), ("host", "a.example")]);
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
        let pairs: HeaderMap = pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect();
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
