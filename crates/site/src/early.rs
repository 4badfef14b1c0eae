//! Plain answers straight from the directory while it is being read: nobody waits until a large site is ready.
//!
//! What any version of the site would not serve is not served here either, and what it would serve is said to be of the same type. There are no tags,
//! dates or ranges, and of codings only those of files that are there in no other form. Nothing may be kept: who comes again a moment later gets the
//! real answer.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
};

use axum_core::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};

use self::directory::{Content, Directory};
use crate::{
    SiteOptions,
    asset::{Headers, standing},
    compress::{Coding, decode},
    limits::READ_CHUNK_LEN,
    resolve::Led,
    respond::accepted,
    rules::Redirect,
};

mod directory;

/// `Cache-Control` of every answer.
const NOTHING_KEPT: &str = "no-store";

/// Answers plainly until a site is open.
pub trait Early: Send + Sync {
    /// The answer of this moment. Nobody may keep it.
    fn respond(self: Arc<Self>, request: Parts) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

/// A directory that is served before it was read.
#[derive(Debug)]
pub(crate) struct EarlyDirectory {
    directory: Directory,
    /// See `SiteOptions::base`, with slashes around.
    base: String,
    headers: Headers,
}

impl Early for EarlyDirectory {
    fn respond(self: Arc<Self>, request: Parts) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(async move { self.answer(&request).await })
    }
}

impl EarlyDirectory {
    /// The directory `dir`, with the operator's headers on every answer.
    ///
    /// # Errors
    /// When there is no such directory.
    pub(crate) fn new(dir: PathBuf, options: SiteOptions) -> io::Result<Self> {
        let SiteOptions { base, spa, headers, .. } = options;
        Ok(Self { directory: Directory::new(dir, spa)?, base: format!("/{base}"), headers })
    }

    async fn answer(self: Arc<Self>, request: &Parts) -> Response<Body> {
        // However the proxy asks.
        let (base, path) = (self.base.trim_end_matches('/'), request.uri.path());
        if !base.is_empty() && path == base {
            return self.moved(&Redirect::moved(format!("{base}/")), request);
        }
        let path = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path).to_owned();
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut response = self.line(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n", request);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let early = Arc::clone(&self);
        let goes_there = request.headers.get("sec-fetch-dest").is_some_and(|dest| dest == "document");
        // Rules name whole paths, and what is found here is below the base.
        let is_ruled = base.is_empty();
        let found = tokio::task::spawn_blocking(move || {
            let found = early.directory.find(&path, goes_there, is_ruled).unwrap_or(Led::NotFound(None));
            if let Led::NotFound(None) = found { Led::NotFound(early.directory.not_found_page()) } else { found }
        });
        match found.await.unwrap_or(Led::NotFound(None)) {
            Led::File(content) => self.content(StatusCode::OK, content, request),
            Led::NotFound(Some(page)) => self.content(StatusCode::NOT_FOUND, page, request),
            Led::NotFound(None) => self.line(StatusCode::NOT_FOUND, "not found\n", request),
            Led::Redirect(redirect) if is_ruled => self.moved(&redirect, request),
            Led::Redirect(redirect) => self.moved(&Redirect::moved(format!("{base}{}", redirect.to)), request),
        }
    }

    /// Leads elsewhere, with the request's query.
    fn moved(&self, redirect: &Redirect, request: &Parts) -> Response<Body> {
        let mut response = self.line(StatusCode::TEMPORARY_REDIRECT, "moved\n", request);
        let location = HeaderValue::try_from(redirect.location(request.uri.query())).ok();
        response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
        response
    }

    /// A file, in the coding that it is in for whoever accepts that.
    fn content(&self, status: StatusCode, content: Content, request: &Parts) -> Response<Body> {
        let Content { relative, file, len, media_type, packed } = content;
        let sent = packed.filter(|(coding, _)| accepted(&request.headers).contains(coding));
        let (len, unpacked) = match packed {
            Some((coding, held)) if sent.is_none() => (held, Some(coding)),
            Some(_) | None => (len, None),
        };
        let body = if request.method == Method::HEAD { Body::empty() } else { body(file, unpacked, len) };
        // Too many headers for a record are told by the reading.
        let (base, rules) = (self.base.trim_start_matches('/'), self.directory.rules());
        let given = rules.headers_of(&format!("{base}{relative}"), &self.headers).ok().flatten();
        let mut response = self.dressed((status, &media_type), given.as_ref(), body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, len.into());
        headers.extend(sent.map(|(coding, _)| (header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()))));
        headers.extend(packed.map(|_| (header::VARY, HeaderValue::from_static("accept-encoding"))));
        response
    }

    fn line(&self, status: StatusCode, line: &'static str, request: &Parts) -> Response<Body> {
        let given = self.directory.rules().headers_at(request.uri.path(), &self.headers);
        self.dressed((status, "text/plain; charset=utf-8"), given.as_ref(), Body::from(line))
    }

    /// With the headers that were `given`, else those of every answer.
    fn dressed(&self, (status, media_type): (StatusCode, &str), given: Option<&Headers>, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        // Appended one by one: the operator may give a header twice.
        for (name, value) in standing(given.unwrap_or(&self.headers), Some((NOTHING_KEPT, media_type))) {
            headers.append(name, value);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NOTHING_KEPT));
        headers.extend(HeaderValue::try_from(media_type).ok().map(|media_type| (header::CONTENT_TYPE, media_type)));
        response
    }
}

/// The first `len` bytes of a file, or of what it holds. One that is shorter by now, or another one, ends the connection.
fn body(file: File, unpacked: Option<Coding>, len: u64) -> Body {
    let open = move || match unpacked {
        Some(coding) => decode(coding, file),
        None => Ok(Box::new(file) as Box<dyn Read + Send>),
    };
    let start: Reading = Box::new(open);
    Body::from_stream(futures_util::stream::try_unfold((start, len), |(open, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let len = left.min(READ_CHUNK_LEN as u64);
            let (mut bytes, mut reader) = (Vec::new(), open()?);
            (&mut reader).take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 == len { Ok((bytes, reader)) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        });
        let (bytes, reader) = read.await.map_err(io::Error::other)??;
        let (left, rest): (u64, Reading) = (left - bytes.len() as u64, Box::new(|| Ok(reader)));
        Ok(Some((Bytes::from(bytes), (rest, left))))
    }))
}

/// Gives what is read next, where that may block.
type Reading = Box<dyn FnOnce() -> io::Result<Box<dyn Read + Send>> + Send>;

#[cfg(test)]
mod tests;
