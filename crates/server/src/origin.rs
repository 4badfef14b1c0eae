//! Whether a request was made by a page of this very site.

use http::{HeaderMap, Uri, header};

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
    let Ok(host) = host.parse::<http::uri::Authority>() else { return false };
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
