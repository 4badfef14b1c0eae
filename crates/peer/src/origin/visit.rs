//! The visit itself: the page is asked for as a browser would, and the answer is one of those a visitor may get.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::sleep;
use url::Url;
use viral_wire::Digest;
use viral_wire::signal::{ThinBoot, boot_of, kind_and_reason};

use super::{Origin, OriginError};
use crate::limits::{DOCUMENT_LEN_MAX, REDIRECTS_MAX, STARTING_PAUSE, STARTING_TRIES, VISIT_AGAIN};

/// What came of a visit.
#[derive(Debug)]
pub(crate) enum VisitAnswer {
    /// Peers near have it.
    Thin(Box<ThinBoot>),
    /// Nobody near has it yet: the document as it stands in the manifest.
    Full {
        /// Path of the page.
        page: String,
        /// The page's manifest, told only to the first of those who will share the work.
        manifest: Option<Digest>,
        /// The document.
        body: Bytes,
    },
    /// The page does not travel, for this reason.
    Plain {
        /// Path of the page.
        page: String,
        /// Token of the `viral-answer` header.
        reason: String,
    },
    /// Something that is not a page, or a page of a server that is none of ours; nothing of its body was taken.
    Other {
        /// Its path, percent-encoded as it was asked for.
        path: String,
        /// How the server answered.
        status: StatusCode,
    },
}

impl Origin {
    /// Opens a page as a visitor would, redirects followed, those to another origin only if that is allowed; afterwards this is the origin that answered.
    pub(crate) async fn visit(&mut self, url: &Url, allow_other: bool) -> Result<VisitAnswer, OriginError> {
        let (url, answer) = self.go_to(Method::GET, url, allow_other).await?;
        self.judge(&url, answer).await
    }

    /// Asks for a page as a browser would, wherever redirects lead: where the page is, and the answer.
    pub(super) async fn go_to(&mut self, method: Method, url: &Url, allow_other: bool) -> Result<(Url, Response<Incoming>), OriginError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.move_to(&url)?;
            if let Ok(uri) = url.as_str().parse() {
                self.preconnect.open(self.connector.clone(), uri);
            }
            let request = || {
                self.request(method.clone(), &url)
                    .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
                    .header(header::ACCEPT_ENCODING, "br")
                    .header("sec-fetch-dest", "document")
                    .header("sec-fetch-mode", "navigate")
                    .header("sec-fetch-site", "none")
                    .header("sec-fetch-user", "?1")
                    .header("upgrade-insecure-requests", "1")
                    .body(Full::default())
            };
            let mut answer = self.send_again(VISIT_AGAIN, &request).await?;
            // A server that has just started reads its site; it says so.
            for _ in 0..STARTING_TRIES {
                if answer.status() != StatusCode::SERVICE_UNAVAILABLE || !answer.headers().contains_key(header::RETRY_AFTER) {
                    break;
                }
                sleep(STARTING_PAUSE).await;
                answer = self.send_again(VISIT_AGAIN, &request).await?;
            }
            match target(&url, &answer) {
                Some(next) => {
                    self.may_follow(&url, &next, allow_other)?;
                    url = next;
                }
                None => return Ok((url, answer)),
            }
        }
        Err(self.malformed("it redirects without end"))
    }

    /// Whoever asked for a page trusts its server, not one that this server names; and a server without TLS may be anybody.
    fn may_follow(&self, from: &Url, next: &Url, allow_other: bool) -> Result<(), OriginError> {
        let to = || next.origin().ascii_serialization();
        match (from.scheme(), next.scheme()) {
            ("https", "http") => Err(OriginError::Downgrade { host: self.host(), to: to() }),
            // To the same host with TLS is what nearly every site does.
            ("http", "https") if from.host() == next.host() && from.port().is_none() && next.port().is_none() => Ok(()),
            ("http" | "https", "http" | "https") if allow_other || from.origin() == next.origin() => Ok(()),
            ("http" | "https", "http" | "https") => Err(OriginError::OtherOrigin { host: self.host(), to: to() }),
            (_, _) => Err(OriginError::Url(next.to_string())),
        }
    }

    async fn judge(&mut self, url: &Url, answer: Response<Incoming>) -> Result<VisitAnswer, OriginError> {
        let status = answer.status();
        self.note_below(url.path(), answer.headers());
        let (page, said) = (url.path().to_owned(), answer.headers().get("viral-answer").and_then(|value| value.to_str().ok()));
        let (kind, reason) = match said.map(kind_and_reason) {
            Some((kind, reason)) if status.is_success() => (kind.to_owned(), reason.to_owned()),
            Some(_) | None => return Ok(VisitAnswer::Other { path: page, status }),
        };
        self.remember_cookies(answer.headers());
        match kind.as_str() {
            "thin" => {
                let body = self.body(answer, DOCUMENT_LEN_MAX).await?;
                let boot = boot_of(&body).ok_or_else(|| self.malformed("a thin answer has no boot block that this version reads"))?;
                Ok(VisitAnswer::Thin(Box::new(boot)))
            }
            "full" => {
                let named = answer.headers().get("viral-manifest").and_then(|value| value.to_str().ok());
                let manifest = named.and_then(|digest| digest.parse().ok());
                Ok(VisitAnswer::Full { page, manifest, body: self.body(answer, DOCUMENT_LEN_MAX).await? })
            }
            _ => Ok(VisitAnswer::Plain { page, reason }),
        }
    }

    /// The version cookie pins our further requests to the version of the document, as it does a browser's.
    fn remember_cookies(&mut self, headers: &HeaderMap) {
        self.note_join(headers);
        let pairs = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()?.split(';').next());
        let cookie = pairs.filter(|pair| pair.starts_with("viral-version=")).collect::<Vec<_>>().join("; ");
        if let (false, Ok(value)) = (cookie.is_empty(), HeaderValue::try_from(cookie)) {
            self.cookies = std::sync::Arc::new(HeaderMap::from_iter([(header::COOKIE, value)]));
        }
    }
}

/// Where a redirect leads.
fn target(url: &Url, answer: &Response<Incoming>) -> Option<Url> {
    let location = answer.status().is_redirection().then(|| answer.headers().get(header::LOCATION)).flatten()?;
    url.join(location.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::throttle::Throttle;

    /// A server whose first connection is never answered.
    async fn deaf_at_first() -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let _deaf = listener.accept().await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        url
    }

    #[tokio::test]
    async fn a_visit_that_is_not_answered_is_made_once_more() {
        let url = deaf_at_first().await;
        let origin = Origin::new(&url, None, Throttle::new(None)).unwrap();
        let request = || origin.request(Method::GET, &url).body(Full::default());
        assert_eq!(origin.send_again(Duration::from_millis(50), request).await.unwrap().status(), StatusCode::NO_CONTENT);
    }

    #[tokio::test]
    async fn a_visit_that_is_refused_is_not_made_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let origin = Origin::new(&url, None, Throttle::new(None)).unwrap();
        let request = || origin.request(Method::GET, &url).body(Full::default());
        let answer = timeout(Duration::from_secs(5), origin.send_again(Duration::from_secs(60), request)).await;
        assert!(matches!(answer, Ok(Err(_))), "at once: {answer:?}");
    }

    #[test]
    fn redirects_stay_on_the_site_unless_told_otherwise_and_never_lose_tls() {
        let may = |from: &str, next: &str, allow_other| {
            let (from, next): (Url, Url) = (from.parse().unwrap(), next.parse().unwrap());
            Origin::new(&"http://a.example/".parse().unwrap(), None, Throttle::new(None))
                .unwrap()
                .may_follow(&from, &next, allow_other)
                .is_ok()
        };
        for (from, next) in [
            ("http://a.example/b", "http://a.example/b/"),
            ("http://a.example/", "https://a.example/"),
            ("https://a.example:8443/", "https://a.example:8443/x"),
        ] {
            assert!(may(from, next, false) && may(from, next, true), "{from} {next}");
        }
        for (from, next) in [
            ("https://a.example/", "https://b.example/"),
            ("https://a.example/", "https://www.a.example/"),
            ("http://a.example/", "http://127.0.0.1/"),
            ("http://a.example:8080/", "http://a.example:8081/"),
            ("http://a.example:8080/", "https://a.example/"),
        ] {
            assert!(!may(from, next, false) && may(from, next, true), "{from} {next}");
        }
        for next in ["http://a.example/", "http://b.example/", "file:///etc/passwd", "ftp://a.example/"] {
            assert!(!may("https://a.example/", next, false) && !may("https://a.example/", next, true), "{next}");
        }
    }

    /// A server that answers everything with this.
    async fn answering(answer: Vec<u8>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut heard = Vec::new();
                    while !heard.ends_with(b"\r\n\r\n") {
                        heard.push(stream.read_u8().await?);
                    }
                    stream.write_all(&answer).await?;
                    stream.shutdown().await
                });
            }
        });
        url
    }

    #[tokio::test]
    async fn a_redirect_to_another_site_is_an_error_that_says_what_to_do() {
        let url =
            answering(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec())
                .await;
        let mut origin = Origin::new(&url, None, Throttle::new(None)).unwrap();
        let error = origin.visit(&url, false).await.unwrap_err().to_string();
        assert!(error.contains("redirects to http://127.0.0.2:1") && error.contains("--other-origin"), "{error}");
    }

    #[tokio::test]
    async fn a_manifest_that_inflates_to_more_than_any_has_is_refused() {
        let mut packed = Vec::new();
        let mut compressor = brotli::CompressorWriter::new(&mut packed, 64 * 1024, 5, 22);
        std::io::Write::write_all(&mut compressor, &vec![0; viral_wire::limits::MANIFEST_LEN_MAX + 1]).unwrap();
        drop(compressor);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", packed.len());
        let url = answering([head.into_bytes(), packed].concat()).await;
        let origin = Origin::new(&url, None, Throttle::new(None)).unwrap();
        let error = origin.manifest(&Digest::of(b"any")).await.unwrap_err().to_string();
        assert!(error.contains("does not inflate"), "{error}");
    }
}
