//! What is understood of each value, and what is refused.

use super::*;

#[test]
fn a_header_line_is_split_at_its_first_colon() {
    let line: HeaderLine = "Content-Security-Policy: connect-src https://a.example:1".parse().unwrap();
    assert_eq!(line.name, "content-security-policy");
    assert_eq!(line.value, "connect-src https://a.example:1");
}

#[test]
fn a_header_without_a_name_or_with_a_line_break_is_refused() {
    for text in ["no colon", ": value", "a b: c", "a: b\r\nc: d"] {
        assert_eq!(text.parse::<HeaderLine>(), Err(ValueError::Header(text.to_owned())));
    }
}

#[test]
fn a_proxy_is_a_network_a_single_address_or_any_unix_socket() {
    for (text, meant) in [("10.1.2.3", "10.1.2.3/32"), (" fd00::/8", "fd00::/8"), ("unix", "unix")] {
        assert_eq!(text.parse::<TrustedProxy>().unwrap().to_string(), meant);
    }
    assert!("10.0.0.0/33".parse::<TrustedProxy>().is_err() && "unix:/run/x".parse::<TrustedProxy>().is_err());
}

#[test]
fn what_is_listened_on_is_an_address_a_name_or_a_unix_socket() {
    assert_eq!("[::1]:80".parse(), Ok(ListenAt::At(SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 80))));
    assert_eq!("localhost:8080".parse(), Ok(ListenAt::Name("localhost".to_owned(), 8080)));
    assert_eq!("unix:/run/viral.sock".parse(), Ok(ListenAt::Unix("/run/viral.sock".into())));
    for text in ["localhost:8080", "unix:/run/viral.sock", "127.0.0.1:0"] {
        assert_eq!(text.parse::<ListenAt>().unwrap().to_string(), text);
    }
    for wrong in ["", "8080", ":8080", "localhost", "localhost:x", "localhost:99999", "a b:80", "::1:80", "http://a:80", "unix:"] {
        assert_eq!(wrong.parse::<ListenAt>(), Err(ValueError::Listen(wrong.to_owned())));
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_switch_is_understood_as_people_write_it() {
    assert!(["1", "true", "TRUE", "on", "yes"].iter().all(|text| parse_switch(text) == Ok(true)));
    assert!(["0", "false", "off", "no", ""].iter().all(|text| parse_switch(text) == Ok(false)));
    assert!(parse_switch("maybe").is_err());
}

#[test]
fn a_base_is_a_plain_path_with_slashes_around() {
    for (text, base) in [("/", "/"), ("/app", "/app/"), ("/app/", "/app/"), ("/a/b.c_d~e-1/", "/a/b.c_d~e-1/"), ("//", "/")] {
        assert_eq!(text.parse::<Base>().unwrap().as_str(), base);
    }
    for wrong in ["", "app", "/a//b/", "/../", "/.viral/", "/a b/", "/a%20b/", "/ü/", "/a?b/", "/\"/", "https://a.example/app/"] {
        assert_eq!(wrong.parse::<Base>(), Err(ValueError::Base(wrong.to_owned())));
    }
}

#[test]
fn the_admin_address_can_be_switched_off() {
    assert_eq!("off".parse(), Ok(AdminListen::Off));
    assert!("localhost".parse::<AdminListen>().is_err());
}
