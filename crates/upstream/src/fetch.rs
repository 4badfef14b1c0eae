//! Fetching as somebody whom the other server does not know: no cookies, no credentials, nothing of a visitor's.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::time::SystemTime;

use axum_core::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::write::GzDecoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Request, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};
use viral_site::Content;
use viral_wire::Digest;

use crate::age::Age;
use crate::headers::{take_hop_by_hop, tell_stranger};
use crate::limits::{ANSWER_LEN_MAX, FETCH_WAIT, MEMORY_LEN_MAX};
use crate::upstream::{Upstream, UpstreamError};

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) head: Parts,
    /// SHA-256 of the body without its coding.
    pub(crate) digest: Digest,
    pub(crate) content: Content,
    pub(crate) age: Age,
}

/// Why an answer could not be had whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("the answer broke off: {0}")]
    Body(#[from] hyper::Error),
    #[error("the answer has more than {ANSWER_LEN_MAX} bytes")]
    TooLarge,
    #[error("the answer did not end within {FETCH_WAIT:?}")]
    Slow,
    #[error("the answer cannot be kept: {0}")]
    Io(#[from] io::Error),
}

/// What is asked.
#[derive(Debug, Default)]
pub(crate) struct Question<'q> {
    /// Path and query.
    pub(crate) path: &'q str,
    pub(crate) host: Option<&'q HeaderValue>,
    /// Whether visitors come over TLS.
    pub(crate) over_tls: bool,
    /// Cookies, for audits only.
    pub(crate) cookie: Option<&'q HeaderValue>,
    /// Only if it is not this any more.
    pub(crate) unless: Option<(&'static header::HeaderName, &'q HeaderValue)>,
}

impl Upstream {
    /// Fetches a path. Only the body of an answer with status 200 whose head is `wanted` is read, and none that goes on for ever.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn fetch(&self, question: &Question<'_>, wanted: impl Fn(&Parts) -> bool) -> Result<Fetched, FetchError> {
        timeout(FETCH_WAIT, self.fetch_whole(question, wanted)).await.map_err(|_| FetchError::Slow)?
    }

    async fn fetch_whole(&self, question: &Question<'_>, wanted: impl Fn(&Parts) -> bool) -> Result<Fetched, FetchError> {
        let asked = Instant::now();
        let (mut head, body) = self.send(request(question, self)?).await?.into_parts();
        let age = Age::of(&head.headers, asked, Instant::now(), SystemTime::now());
        take_hop_by_hop(&mut head.headers);
        let mut sink = Sink::new(&head.headers);
        if head.status == StatusCode::OK && !is_endless(&head.headers) && wanted(&head) {
            if body.size_hint().lower() > ANSWER_LEN_MAX {
                return Err(FetchError::TooLarge);
            }
            fill(&mut sink, body).await?;
        }
        let (digest, content) = sink.finish()?;
        Ok(Fetched { head, digest, content, age })
    }
}

fn request(question: &Question<'_>, upstream: &Upstream) -> Result<Request<Body>, UpstreamError> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = question.path.parse().map_err(|_| UpstreamError::Path)?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
        .insert(header::USER_AGENT, HeaderValue::from_static(concat!("Mozilla/5.0 (compatible; viral/", env!("CARGO_PKG_VERSION"), ")")));
    if let Some(host) = upstream.host_for(question.host) {
        tell_stranger(headers, &host, question.over_tls);
        headers.insert(header::HOST, host);
    }
    if let Some(cookie) = question.cookie {
        headers.insert(header::COOKIE, cookie.clone());
    }
    if let Some((name, value)) = question.unless {
        headers.insert(name, value.clone());
    }
    crate::headers::add_via(headers);
    Ok(request)
}

/// Whether an answer is a stream of events.
fn is_endless(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

async fn fill(sink: &mut Sink, mut body: Incoming) -> Result<(), FetchError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            sink.write(&data)?;
        }
    }
    Ok(())
}

/// Takes a body, undoes its coding, and counts and hashes what comes of it.
struct Sink {
    plain: Plain,
    coded: Option<GzDecoder<Plain>>,
}

/// A body without a coding: in memory, then in a file.
#[derive(Default)]
struct Plain {
    hasher: Sha256,
    memory: BytesMut,
    file: Option<File>,
    len: u64,
}

impl Sink {
    fn new(headers: &HeaderMap) -> Self {
        let is_coded = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| {
            let coding = coding.as_bytes();
            coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
        });
        Self { plain: Plain::default(), coded: is_coded.then(|| GzDecoder::new(Plain::default())) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        let written = match &mut self.coded {
            Some(decoder) => decoder.write_all(bytes),
            None => self.plain.write_all(bytes),
        };
        written.map_err(|error| if error.kind() == io::ErrorKind::FileTooLarge { FetchError::TooLarge } else { error.into() })
    }

    fn finish(self) -> io::Result<(Digest, Content)> {
        let Plain { hasher, memory, file, len } = match self.coded {
            Some(decoder) => decoder.finish()?,
            None => self.plain,
        };
        let content = match file {
            Some(mut file) => {
                file.rewind()?;
                Content::File(file, len)
            }
            None => Content::Bytes(Bytes::from(memory)),
        };
        Ok((Digest(hasher.finalize().into()), content))
    }
}

impl io::Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A few kilobytes may unpack to gigabytes.
        self.len += bytes.len() as u64;
        if self.len > ANSWER_LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.hasher.update(bytes);
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None if self.memory.len() + bytes.len() <= MEMORY_LEN_MAX => self.memory.extend_from_slice(bytes),
            None => {
                let mut file = tempfile::tempfile()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                file.write_all(bytes)?;
                self.file = Some(file);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(headers: &HeaderMap, parts: &[&[u8]]) -> Result<(Digest, Content), FetchError> {
        let mut sink = Sink::new(headers);
        for part in parts {
            sink.write(part)?;
        }
        Ok(sink.finish()?)
    }

    #[test]
    fn what_is_large_goes_to_a_file_and_its_digest_is_that_of_the_whole() {
        let part = vec![7; MEMORY_LEN_MAX];
        let (digest, content) = taken(&HeaderMap::new(), &[&part, b"1", &part]).unwrap();
        assert!(matches!(content, Content::File(..)));
        assert_eq!((content.len(), digest), (2 * part.len() as u64 + 1, Digest::of(&[&part[..], b"1", &part].concat())));
        let (_, small) = taken(&HeaderMap::new(), &[b"abc"]).unwrap();
        assert!(matches!(small, Content::Bytes(bytes) if bytes == "abc"));
    }

    #[test]
    fn a_coding_is_undone_and_a_broken_one_is_an_error() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"some text").unwrap();
        let coded = encoder.finish().unwrap();
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static("GZip"))]);
        let (digest, _) = taken(&headers, &[&coded[..5], &coded[5..]]).unwrap();
        assert_eq!(digest, Digest::of(b"some text"));
        assert!(taken(&headers, &[b"this is no gzip at all"]).is_err());
        assert!(taken(&headers, &[&coded[..coded.len() - 3]]).is_err(), "it broke off");
    }
}
