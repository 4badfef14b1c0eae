//! The head of a request: how long it may be, that it says which host is meant, and one form of it whatever version of HTTP it came by.

use axum::body::Body;
#[cfg(any(feature = "tls", test))]
use http::HeaderValue;
use http::{Request, Response, StatusCode, Version, header};

use crate::limits::HEAD_LEN_MAX;
use crate::replies::refusal;
use viral_swarm::request::same_origin;

/// Why a request is refused by its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadFault {
    #[error("the head of a request may have {HEAD_LEN_MAX} bytes")]
    TooLong,
    #[error("say once which host is meant, in a Host header")]
    Host,
    #[cfg(feature = "tls")]
    #[error("two hosts are named, :authority and Host; name one")]
    TwoHosts,
    #[cfg(feature = "tls")]
    #[error("nobody is connected through this server")]
    Connect,
}

impl HeadFault {
    /// What is answered.
    pub(crate) fn refusal(self) -> Response<Body> {
        let status = match self {
            Self::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Host => StatusCode::BAD_REQUEST,
            #[cfg(feature = "tls")]
            Self::TwoHosts => StatusCode::BAD_REQUEST,
            #[cfg(feature = "tls")]
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
        };
        refusal(status, &self.to_string())
    }
}

/// Brings a request to the form of HTTP/1.1, which is read everywhere.
///
/// # Errors
/// When it is too long, or means no host.
pub(crate) fn normalise<B>(request: &mut Request<B>) -> Result<(), HeadFault> {
    #[cfg(feature = "tls")]
    if request.version() == Version::HTTP_2 {
        from_http2(request)?;
    }
    if head_len(request) > HEAD_LEN_MAX {
        Err(HeadFault::TooLong)
    } else if lacks_host(request) {
        Err(HeadFault::Host)
    } else {
        Ok(())
    }
}

/// The host of `:authority` becomes that of `Host`, the cookies become one line (RFC 9113 sections 8.2.3 and 8.3.1).
#[cfg(feature = "tls")]
fn from_http2<B>(request: &mut Request<B>) -> Result<(), HeadFault> {
    if request.method() == http::Method::CONNECT {
        return Err(HeadFault::Connect);
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let host = parts.authority.take().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    parts.scheme = None;
    *request.uri_mut() = http::Uri::from_parts(parts).unwrap_or_default();
    let headers = request.headers_mut();
    if let Some(host) = host {
        if headers.get_all(header::HOST).iter().any(|said| !said.as_bytes().eq_ignore_ascii_case(host.as_bytes())) {
            return Err(HeadFault::TwoHosts);
        }
        headers.insert(header::HOST, host);
    }
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if let (Some(_), Some(_)) = (cookies.next(), cookies.next()) {
        let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(header::COOKIE, whole);
        }
    }
    Ok(())
}

/// Bytes of a head as it came, but for spaces that nobody needs. The buffer alone does not hold the limit: what comes at once is parsed at once.
fn head_len<B>(request: &Request<B>) -> usize {
    let line =
        request.method().as_str().len() + request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + " HTTP/1.1\r\n ".len();
    request.headers().iter().fold(line + 2, |len, (name, value)| len + name.as_str().len() + value.len() + ": \r\n".len())
}

/// Whether no host is meant, or none can be told (RFC 9112 section 3.2).
fn lacks_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() >= Version::HTTP_11,
        (Some(host), None) => !same_origin::is_host(host),
        (Some(_), Some(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_none_is_refused() {
        let with = |host: &[u8]| Request::get("/").header("host", HeaderValue::from_bytes(host).unwrap()).body(()).unwrap();
        for host in ["a.example", "a.example:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "a_b.example", "xn--bcher-kva.example"]
            .into_iter()
            .chain(["a.example:", "127.0.0.1:", "[::1]:"])
        {
            assert!(!lacks_host(&with(host.as_bytes())), "{host}");
        }
        for host in [
            "",
            " ",
            "a b",
            "a/b",
            "user@a.example",
            "a.example:port",
            "a.example:99999",
            ":",
            ":80",
            "a.example::",
            "a.example:80:",
            "a.example,b.example",
            "[::1",
            "a?b",
            "a#b",
        ] {
            assert!(lacks_host(&with(host.as_bytes())), "{host}");
        }
        assert!(lacks_host(&with("bücher.example".as_bytes())));
    }

    #[test]
    fn exactly_one_host_is_asked_for() {
        let request = |version, hosts: usize| {
            let request = Request::get("/").version(version);
            (0..hosts).fold(request, |request, _| request.header("host", "a.example")).body(()).unwrap()
        };
        assert!(lacks_host(&request(Version::HTTP_11, 0)) && lacks_host(&request(Version::HTTP_11, 2)));
        assert!(!lacks_host(&request(Version::HTTP_11, 1)) && !lacks_host(&request(Version::HTTP_10, 0)));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_request_over_http_2_reads_like_one_over_http_1() {
        let request = |uri: &str, headers: &[(&'static str, &'static str)]| {
            let request = Request::get(uri).version(Version::HTTP_2);
            let mut request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap();
            normalise(&mut request).map(|()| request)
        };
        let whole = request("https://a.example:8443/x?y=1", &[("cookie", "a=1"), ("cookie", "b=2")]).unwrap();
        assert_eq!(whole.uri().to_string(), "/x?y=1");
        assert!(whole.headers()["host"] == "a.example:8443" && whole.headers()["cookie"] == "a=1; b=2");
        assert_eq!(whole.headers().len(), 2);
        assert!(request("https://a.example/", &[("host", "A.example")]).is_ok());
        assert_eq!(request("/", &[("host", "a.example")]).unwrap().headers()["host"], "a.example");
        for (uri, headers, fault) in [
            ("https://a.example/", &[("host", "b.example")][..], HeadFault::TwoHosts),
            ("https://user@a.example/", &[], HeadFault::Host),
            ("/", &[], HeadFault::Host),
            ("/", &[("host", "a.example"), ("host", "a.example")], HeadFault::Host),
        ] {
            assert_eq!(request(uri, headers).unwrap_err(), fault, "{uri} {headers:?}");
            assert_eq!(fault.refusal().status(), StatusCode::BAD_REQUEST);
        }
        let mut connect = Request::connect("https://a.example:443/").version(Version::HTTP_2).body(()).unwrap();
        assert_eq!(normalise(&mut connect).unwrap_err(), HeadFault::Connect);
        let long: &'static str = Box::leak("x".repeat(HEAD_LEN_MAX).into_boxed_str());
        assert_eq!(request("https://a.example/", &[("x-a", long)]).unwrap_err(), HeadFault::TooLong);
    }
}
