//! Answers: conditional and Range requests, content codings and HEAD, for one asset.

use std::{ops::Range, sync::Arc};

use axum_core::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};

use self::{
    body::Part,
    conditional::{Outcome, Tags},
};
use super::{
    Asset, Object, Version, Which,
    cache_control::REVALIDATE,
    compress::Coding,
    encodings::{self, Encoded},
    media,
    rules::Redirect,
};

pub use self::negotiate::{Accepted, accepted};
pub(crate) use self::range::Wanted;
#[cfg(feature = "fuzzing")]
pub(crate) use self::range::wanted;

mod body;
mod conditional;
mod negotiate;
mod range;

/// Answers a request for `asset` as RFC 9110 says: preconditions, ranges, content coding, HEAD; 405 for other methods.
///
/// Only the method and the headers of `request` are read. The caller adds headers of its own to the result, and answers
/// what is not a site's matter before.
pub async fn respond(version: &Version, asset: &Asset, which: Which, request: &Parts) -> Response<Body> {
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut response = text((version, request), StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n", true);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let object = asset.object(which);
    // A range counts in the bytes of the selected representation, and only the identity is the same on every server.
    let ranged = request.method == Method::GET && request.headers.contains_key(header::RANGE);
    let body = if ranged { readable(Sent::identity(object)).await } else { select(asset, object, &request.headers).await };
    let Some(body) = body else { return lost((version, request), asset) };
    let modified = asset.modified().map(httpdate::HttpDate::from);
    let tags = Tags { digest: object.digest(), selected: body.tag() };
    let mut headers = common(asset, &tags.of_selected(), modified);
    match conditional::judge(&request.headers, &tags, modified) {
        Outcome::Send => {}
        Outcome::NotModified(tag) => {
            headers.insert(header::ETAG, tag);
            return build(StatusCode::NOT_MODIFIED, headers, Body::empty());
        }
        Outcome::Failed => {
            return text((version, request), StatusCode::PRECONDITION_FAILED, "precondition failed\n", request.method == Method::GET);
        }
    }
    let wanted = if ranged && conditional::range_applies(&request.headers, &tags) {
        range::wanted(&request.headers, body.blob.len())
    } else {
        Wanted::Whole
    };
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    match wanted {
        Wanted::Whole => whole(headers, asset, body, &request.method),
        Wanted::One(range) => one_range(headers, asset, body, range),
        Wanted::Many(ranges) => {
            let (headers, body) = range::multipart(headers, asset.media_type(), &body.blob, ranges);
            build(StatusCode::PARTIAL_CONTENT, headers, body)
        }
        Wanted::Unsatisfiable => {
            let mut response = text((version, request), StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable\n", true);
            let length = HeaderValue::try_from(format!("bytes */{}", body.blob.len()));
            response.headers_mut().extend(length.ok().map(|length| (header::CONTENT_RANGE, length)));
            response
        }
    }
}

/// Whether `If-None-Match` names this body of `asset`, in whatever coding: the client has it.
pub fn is_known(asset: &Asset, which: Which, headers: &HeaderMap) -> bool {
    conditional::is_named(headers, asset.object(which).digest())
}

/// Status 404 with the site's page for it, or a line of text. Whatever the method, since there is nothing to allow.
pub async fn respond_not_found(version: &Version, page: Option<&Asset>, which: Which, request: &Parts) -> Response<Body> {
    let Some(page) = page else {
        return text((version, request), StatusCode::NOT_FOUND, "not found\n", request.method != Method::HEAD);
    };
    let Some(body) = select(page, page.object(which), &request.headers).await else { return lost((version, request), page) };
    let mut headers = HeaderMap::new();
    headers.extend(page.headers());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let mut response = whole(headers, page, body, &request.method);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Sends the request on, keeping its query where the destination has none.
///
/// Not kept by browsers without asking, whatever the status: the directory may become a file with the next version.
pub fn respond_redirect(version: &Version, redirect: &Redirect, request: &Parts) -> Response<Body> {
    let mut response = text((version, request), redirect.status, "moved\n", request.method != Method::HEAD);
    // A path is escaped and a query was parsed, so both are header values; without one the client stays where it is.
    if let Ok(location) = HeaderValue::try_from(redirect.location(request.uri.query())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Headers of an answer with everything of ours, and room for what a server adds.
const HEADERS_USUAL: usize = 12;

/// The representation that is sent.
struct Sent {
    blob: Arc<super::store::Blob>,
    coding: Option<Coding>,
    /// Suffix of the entity tag.
    suffix: &'static str,
}

impl Sent {
    fn identity(object: &Object) -> Self {
        Self { blob: Arc::clone(object.blob()), coding: None, suffix: "" }
    }

    fn tag(&self) -> &'static str {
        self.suffix
    }
}

/// What is sent to who accepts this; `None` if the object store lost it and the site has it no longer.
async fn select(asset: &Asset, object: &Arc<Object>, request: &HeaderMap) -> Option<Sent> {
    if media::is_compressible(asset.media_type())
        && let Some(Encoded { coding, effort, blob }) = encodings::choose(object.encodings(), &negotiate::accepted(request)).await
    {
        let sent = Sent { blob, coding: Some(coding), suffix: conditional::suffix(coding, effort) };
        match readable(sent).await {
            Some(sent) => return Some(sent),
            None => object.encodings().forget(coding, effort),
        }
    }
    readable(Sent::identity(object)).await
}

/// The same if it can be read, which must be known before anything is said of it.
async fn readable(sent: Sent) -> Option<Sent> {
    if sent.blob.memory().is_some() {
        return Some(sent);
    }
    let blob = Arc::clone(&sent.blob);
    let checked = tokio::task::spawn_blocking(move || blob.check()).await.map_err(std::io::Error::other);
    match checked.and_then(|checked| checked) {
        Ok(()) => Some(sent),
        Err(error) => {
            tracing::error!(%error, "object store cannot be read");
            None
        }
    }
}

/// Status 503: it was there and may be again with the next version.
fn lost((version, request): (&Version, &Parts), asset: &Asset) -> Response<Body> {
    tracing::error!(path = asset.path(), "cannot be read, neither from the object store nor from the directory; it is answered with 503");
    let mut response = text(
        (version, request),
        StatusCode::SERVICE_UNAVAILABLE,
        "this file cannot be read at this moment\n",
        request.method != Method::HEAD,
    );
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn common(asset: &Asset, tag: &str, modified: Option<httpdate::HttpDate>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    // Appended one by one: the operator may give a header twice.
    for (name, value) in asset.headers() {
        headers.append(name, value);
    }
    headers.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    headers.extend(modified.and_then(|date| HeaderValue::try_from(date.to_string()).ok()).map(|date| (header::LAST_MODIFIED, date)));
    if media::is_compressible(asset.media_type()) {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    headers
}

fn whole(mut headers: HeaderMap, asset: &Asset, sent: Sent, method: &Method) -> Response<Body> {
    headers.extend(content_type(asset.media_type()));
    headers.insert(header::CONTENT_LENGTH, sent.blob.len().into());
    if let Some(coding) = sent.coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    let body = if *method == Method::HEAD { Body::empty() } else { Part::whole(sent.blob).into_body() };
    build(StatusCode::OK, headers, body)
}

fn one_range(mut headers: HeaderMap, asset: &Asset, sent: Sent, range: Range<u64>) -> Response<Body> {
    headers.extend(content_type(asset.media_type()));
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let place = HeaderValue::try_from(range::content_range(&range, sent.blob.len()));
    headers.extend(place.ok().map(|place| (header::CONTENT_RANGE, place)));
    build(StatusCode::PARTIAL_CONTENT, headers, Part::Stored(sent.blob, range).into_body())
}

fn content_type(value: &str) -> Option<(HeaderName, HeaderValue)> {
    HeaderValue::try_from(value).ok().map(|value| (header::CONTENT_TYPE, value))
}

/// A line of text with the operator's headers, never kept.
fn text((version, request): (&Version, &Parts), status: StatusCode, line: &'static str, with_body: bool) -> Response<Body> {
    let mut headers = HeaderMap::new();
    for (name, value) in version.headers_at(request.uri.path()).iter() {
        headers.append(name, value.clone());
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, line.len().into());
    build(status, headers, if with_body { Body::from(line) } else { Body::empty() })
}

fn build(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
