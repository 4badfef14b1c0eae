//! Whether a request was made by a page of this very site.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

/// What a request says of the page that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// A page of this site, or nothing that a browser's page could be.
    Own,
    /// A page of another site, by the browser's word.
    Foreign,
    /// A page whose `Origin` is none of the names under which the request came. So it looks, too, where a proxy does not pass the name on.
    Unknown,
}

/// Who made the request. `hosts` are the names under which it came: see [`hosts`](super::forwarded::hosts).
///
/// The browser knows what was in its address bar, whatever proxies make of the host: `Sec-Fetch-Site` decides where it is sent. Chromium sends none with a
/// WebSocket. A request without that and `Origin` does not come from a page of a current browser and passes.
pub fn maker<'a>(headers: &HeaderMap, hosts: impl IntoIterator<Item = &'a str>) -> Maker {
    match headers.get("sec-fetch-site") {
        Some(site) if site == "same-origin" => return Maker::Own,
        Some(site) if site != "none" => return Maker::Foreign,
        Some(_) | None => {}
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Maker::Own };
    let names_us = origin.to_str().is_ok_and(|origin| hosts.into_iter().any(|host| names(origin, host)));
    if names_us { Maker::Own } else { Maker::Unknown }
}

/// Whether the page is of another host of the site as browsers see sites (`evil.app.example` beside `www.app.example`). They add the cookies of a visit to what such a page asks for, so that
/// these say nothing of who made it. What a site is they know from a long list; here it is the last two labels of a name.
pub fn is_of_sibling<'a>(headers: &HeaderMap, hosts: impl IntoIterator<Item = &'a str>) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()?.parse::<Uri>().ok());
    let Some(page) = origin.as_ref().and_then(Uri::host) else { return false };
    hosts.into_iter().filter_map(authority).any(|host| {
        let is_same = host.host().eq_ignore_ascii_case(page);
        !is_same && site_of(host.host()).zip(site_of(page)).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    })
}

/// The last two labels of the name of a host. None for addresses and for names of one label.
fn site_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let before_last = name.rfind('.')?;
    let start = name[..before_last].rfind('.').map_or(0, |dot| dot + 1);
    let is_name = !name.starts_with('[') && name.parse::<IpAddr>().is_err();
    is_name.then(|| &name[start..])
}

/// Whether this is the value of a `Host` header: a name or an address, and a port perhaps (RFC 9110 section 7.2), which may be empty (RFC 3986 section 3.2.3).
pub fn is_host(value: &HeaderValue) -> bool {
    let Some((text, host)) = value.to_str().ok().and_then(|text| Some((text, authority(text)?))) else { return false };
    let port_fits = text[host.host().len()..].strip_prefix(':').is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    !host.host().is_empty() && text.starts_with(host.host()) && port_fits && !text.contains(',')
}

/// Whether the host is this machine by its own name, or an address: no name that somebody else may point to us.
pub fn is_literal(value: &HeaderValue) -> bool {
    let host = value.to_str().ok().and_then(authority);
    host.is_some_and(|host| {
        let name = host.host();
        name.eq_ignore_ascii_case("localhost") || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
    })
}

/// Whether a page of this site, or the visitor itself, led here: not another site, as far as the browser tells.
///
/// Browsers that do not say so are asked for the page they come from.
pub fn is_own_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => text(&header::REFERER).zip(text(&header::HOST)).is_some_and(|(referer, host)| names(referer, host)),
    }
}

/// The host and port of a `Host` header. An empty port is none: the default one is meant.
fn authority(host: &str) -> Option<Authority> {
    host.strip_suffix(':').unwrap_or(host).parse().ok()
}

/// Is `origin` (`https://app.example`) the origin of `host` (`app.example:443`)?
fn names(origin: &str, host: &str) -> bool {
    origin.parse::<Uri>().is_ok_and(|uri| is_of_host(&uri, host))
}

/// Is a whole URL one of the host that a request was made to?
pub fn is_of_host(uri: &Uri, host: &str) -> bool {
    let default_port = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        Some(_) | None => return false,
    };
    let Some(host) = authority(host) else { return false };
    // A final dot says that the name is whole (RFC 1034 section 3.1); browsers keep it in the one place and proxies drop it in the other.
    let whole = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let same_host = uri.host().is_some_and(|name| whole(name) == whole(host.host()));
    same_host && uri.port_u16().unwrap_or(default_port) == host.port_u16().unwrap_or(default_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_by(pairs: &[(&'static str, &'static str)]) -> Maker {
        let host = pairs.iter().find(|(name, _)| *name == "host").map(|(_, host)| *host);
        maker(&pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value))).collect(), host)
    }

    #[test]
    fn a_navigation_is_own_if_the_browser_says_so() {
        let own = |pairs: &[(&'static str, &'static str)]| {
            is_own_navigation(
                &pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value))).collect(),
            )
        };
        assert!(own(&[("host", "a.example"), ("sec-fetch-site", "same-origin")]) && own(&[("sec-fetch-site", "none")]));
        assert!(!own(&[("host", "a.example"), ("sec-fetch-site", "cross-site")]) && !own(&[("sec-fetch-site", "same-site")]));
        assert!(own(&[("host", "a.example"), ("referer", "https://a.example/page?q")]));
        assert!(!own(&[("host", "a.example"), ("referer", "https://b.example/")]) && !own(&[("host", "a.example")]));
    }

    #[test]
    fn hosts_are_told_from_what_is_none() {
        assert!(is_literal(&HeaderValue::from_static("[::1]:9")) && is_literal(&HeaderValue::from_static("LocalHost:")));
        assert!(!is_literal(&HeaderValue::from_static("a.example")) && !is_literal(&HeaderValue::from_static("127.0.0.1.a.example")));
    }

    #[test]
    fn a_page_of_another_host_of_the_same_site_is_told_from_one_behind_a_proxy() {
        let is_sibling =
            |origin: &'static str, host| is_of_sibling(&HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]), [host]);
        for (origin, host) in [
            ("https://evil.app.example", "www.app.example"),
            ("https://app.example", "www.APP.example:8443"),
            ("https://a.b.app.example:1", "app.example."),
        ] {
            assert!(is_sibling(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://app.example", "app.example:8080"),
            ("https://app.example", "upstream"),
            ("https://app.example", "10.0.0.7:8080"),
            ("https://10.0.1.7", "10.0.0.7"),
            ("https://[fd00::1]", "[fd00::2]:80"),
            ("https://app.example", "app.other"),
            ("null", "app.example"),
        ] {
            assert!(!is_sibling(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn only_the_sites_own_pages_pass() {
        let own: [&[(&str, &str)]; 10] = [
            &[("host", "a.example:"), ("origin", "https://a.example")],
            &[("host", "[::1]:"), ("origin", "http://[::1]")],
            &[("host", "a.example"), ("origin", "https://a.example")],
            &[("host", "A.example:443"), ("origin", "https://a.example")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")],
            &[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")],
            &[("host", "a.example"), ("origin", "https://a.example.")],
            &[("host", "a.example")],
            &[("host", "upstream"), ("origin", "https://a.example"), ("sec-fetch-site", "same-origin")],
            &[("host", "a.example"), ("sec-fetch-site", "none")],
        ];
        for pairs in own {
            assert_eq!(made_by(pairs), Maker::Own, "{pairs:?}");
        }
        let unknown: [&[(&str, &str)]; 6] = [
            &[("host", "a.example:"), ("origin", "https://a.example:8443")],
            &[("host", "a.example"), ("origin", "https://b.example")],
            &[("host", "a.example:81"), ("origin", "http://a.example")],
            &[("host", "a.example"), ("origin", "null")],
            &[("origin", "https://a.example")],
            &[("host", "a.example"), ("origin", "https://b.example"), ("sec-fetch-site", "none")],
        ];
        for pairs in unknown {
            assert_eq!(made_by(pairs), Maker::Unknown, "{pairs:?}");
        }
        for site in ["cross-site", "same-site", "nonsense"] {
            let header = HeaderValue::from_static(site);
            let headers = [("host", HeaderValue::from_static("a.example")), ("sec-fetch-site", header)];
            let headers = headers.into_iter().map(|(name, value)| (header::HeaderName::from_static(name), value)).collect();
            assert_eq!(maker(&headers, ["a.example"]), Maker::Foreign, "{site}");
        }
    }
}
