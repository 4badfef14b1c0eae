//! The page as it is, with one tag at its end: a script of a hundred bytes that tells when the page has loaded.

use std::io;

use axum::body::Body;
use http::{HeaderValue, Response, header, request::Parts};
use viral_site::{Asset, Which};

use super::thin::own_headers;
use crate::coding;
use crate::scripts::Scripts;

/// The answer, with the document's own headers. HEAD gets its head. What is kept of it would be compared with the page as it is, so it has no tag and no date.
///
/// # Errors
/// When the document cannot be read.
pub(super) async fn respond(request: &Parts, scripts: &Scripts, document: &Asset) -> io::Result<Response<Body>> {
    let record = document.record();
    let raw = document.object(Which::Raw).read().await?;
    let html = [&raw[..], scripts.time_tag().as_bytes()].concat();
    let coding = coding::choose(&request.headers);
    let mut response = Response::new(Body::from(coding::encode_quick(coding, html)));
    *response.headers_mut() = own_headers(&record.headers, str::to_owned);
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::try_from(&record.media_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, sec-fetch-dest"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding::header(coding));
    }
    Ok(response)
}
