//! The body of a page, streamed by with something put in: each part leaves as soon as it came.

use std::io::{self, Write as _};

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use futures_util::stream;
use http_body_util::BodyExt as _;
use viral_site::HeadInsertion;

use crate::limits::{GUNZIP_AT_ONCE, PERSONAL_GZIP_LEVEL};

/// A body on its way.
pub(super) struct Streamed {
    body: Body,
    /// What came of it and is not on its way yet.
    rest: Bytes,
    gunzip: Option<MultiGzDecoder<Vec<u8>>>,
    insertion: HeadInsertion,
    gzip: Option<GzEncoder<Vec<u8>>>,
    /// Some of it came.
    has_begun: bool,
    is_over: bool,
}

impl Streamed {
    /// Of a body that was compressed, to one that is.
    pub(super) fn new(body: Body, insertion: HeadInsertion, (was_gzip, to_gzip): (bool, bool)) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            gunzip: was_gzip.then(|| MultiGzDecoder::new(Vec::new())),
            insertion,
            gzip: to_gzip.then(|| GzEncoder::new(Vec::new(), Compression::new(PERSONAL_GZIP_LEVEL))),
            has_begun: false,
            is_over: false,
        }
    }

    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut streamed| async move {
            let next = streamed.next().await?;
            Some((next, streamed))
        }))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        while !self.is_over {
            if self.rest.is_empty() {
                match self.body.frame().await {
                    Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => {
                        self.is_over = true;
                        return Some(Err(io::Error::other(error)));
                    }
                    None => {
                        self.is_over = true;
                        return Some(self.end()).filter(|end| end.as_ref().map_or(true, |bytes| !bytes.is_empty()));
                    }
                }
            }
            match self.pass() {
                Ok(bytes) if bytes.is_empty() => {}
                passed => {
                    self.is_over = passed.is_err();
                    return Some(passed);
                }
            }
        }
        None
    }

    /// Passes on what came, at most so much that its plain text fits the memory.
    fn pass(&mut self) -> io::Result<Bytes> {
        let at_once = if self.gunzip.is_some() { self.rest.len().min(GUNZIP_AT_ONCE) } else { self.rest.len() };
        let part = self.rest.split_to(at_once);
        self.has_begun = true;
        let plain = match &mut self.gunzip {
            Some(gunzip) => {
                gunzip.write_all(&part)?;
                gunzip.flush()?;
                self.insertion.push(&std::mem::take(gunzip.get_mut()))
            }
            None => self.insertion.push(&part),
        };
        self.coded(plain)
    }

    fn end(&mut self) -> io::Result<Bytes> {
        let mut plain = Vec::new();
        if let Some(gunzip) = self.gunzip.take().filter(|_| self.has_begun) {
            // A body that is cut short must not look complete.
            plain = self.insertion.push(&gunzip.finish()?);
        }
        plain.append(&mut self.insertion.end());
        match self.gzip.take() {
            Some(mut gzip) => {
                gzip.write_all(&plain)?;
                Ok(gzip.finish()?.into())
            }
            None => Ok(plain.into()),
        }
    }

    /// In the coding of the answer, and flushed: a page that its server writes slowly is shown as it comes.
    fn coded(&mut self, plain: Vec<u8>) -> io::Result<Bytes> {
        match &mut self.gzip {
            Some(gzip) if !plain.is_empty() => {
                gzip.write_all(&plain)?;
                gzip.flush()?;
                Ok(std::mem::take(gzip.get_mut()).into())
            }
            Some(_) => Ok(Bytes::new()),
            None => Ok(plain.into()),
        }
    }
}
