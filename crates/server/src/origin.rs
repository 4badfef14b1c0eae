//! Whether a request was made by a page of this very site.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

/// False when the request says that a page of another origin made it: `Origin` that is not `Host`, or `Sec-Fetch-Site` of another site.
///
/// A request without either header does not come from a page of a current browser and passes.
pub(crate) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site_fits = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    let origin_fits = !headers.contains_key(header::ORIGIN)
        || text(&header::ORIGIN).zip(text(&header::HOST)).is_some_and(|(origin, host)| names(origin, host));
    site_fits && origin_fits
}

/// Whether this is the value of a `Host` header: a name or an address, and a port perhaps (RFC 9110 section 7.2).
pub(crate) fn is_host(value: &HeaderValue) -> bool {
    let Some((text, host)) = value.to_str().ok().and_then(|text| Some((text, text.parse::<Authority>().ok()?))) else { return false };
    let port_fits = text[host.host().len()..].strip_prefix(':').is_none_or(|port| port.parse::<u16>().is_ok());
    !host.host().is_empty() && text.starts_with(host.host()) && port_fits && !text.contains(',')
}

/// Whether the host is this machine by its own name, or an address: no name that somebody else may point to us.
pub(crate) fn is_literal(value: &HeaderValue) -> bool {
    let host = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host();
        name.eq_ignore_ascii_case("localhost") || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
    })
}

/// Whether a page of this site, or the visitor itself, led here: not another site, as far as the browser tells.
///
/// Browsers that do not say so are asked for the page they come from.
pub(crate) fn is_own_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => text(&header::REFERER).zip(text(&header::HOST)).is_some_and(|(referer, host)| names(referer, host)),
    }
}

/// Is `origin` (`https://app.example`) the origin of `host` (`app.example:443`)?
fn names(origin: &str, host: &str) -> bool {
    origin.parse::<Uri>().is_ok_and(|uri| is_of_host(&uri, host))
}

/// Is a whole URL one of the host that a request was made to?
pub(crate) fn is_of_host(uri: &Uri, host: &str) -> bool {
    let default_port = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        Some(_) | None => return false,
    };
    let Ok(host) = host.parse::<Authority>() else { return false };
    let same_host = uri.host().is_some_and(|name| name.eq_ignore_ascii_case(host.host()));
    same_host && uri.port_u16().unwrap_or(default_port) == host.port_u16().unwrap_or(default_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&'static str, &'static str)]) -> bool {
        is_own(
            &pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))).collect(),
        )
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
        assert!(is_literal(&HeaderValue::from_static("[::1]:9")) && is_literal(&HeaderValue::from_static("LocalHost")));
        assert!(!is_literal(&HeaderValue::from_static("a.example")) && !is_literal(&HeaderValue::from_static("127.0.0.1.a.example")));
    }

    #[test]
    fn only_the_sites_own_pages_pass() {
        assert!(own(&[("host", "a.example"), ("origin", "https://a.example")]));
        assert!(own(&[("host", "A.example:443"), ("origin", "https://a.example")]));
        assert!(own(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")]));
        assert!(own(&[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")]));
        assert!(own(&[("host", "a.example")]));
        assert!(!own(&[("host", "a.example"), ("origin", "https://b.example")]));
        assert!(!own(&[("host", "a.example:81"), ("origin", "http://a.example")]));
        assert!(!own(&[("host", "a.example"), ("origin", "null")]));
        assert!(!own(&[("origin", "https://a.example")]));
        assert!(!own(&[("host", "a.example"), ("sec-fetch-site", "cross-site")]));
        assert!(!own(&[("host", "a.example"), ("sec-fetch-site", "same-site")]));
    }
}
