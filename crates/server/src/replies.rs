//! Answers in one line or none, and posts that are read within their limits.

use axum::body::{Body, HttpBody as _};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;
use viral_wire::signal::{Signal, SignalError, decode};

use crate::limits::POST_TIMEOUT;
use crate::stats::Cause;

/// A refusal in one line of text.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Cause::Signalling);
    response
}

/// Nobody here is meant (RFC 9110 section 15.5.20).
pub(crate) fn no_such_host() -> Response<Body> {
    refusal(StatusCode::MISDIRECTED_REQUEST, "there is no site of this host here")
}

/// What is answered to HEAD: the head alone, with the length that a GET would be told. Our own refusals are made without looking at the method.
pub(crate) fn without_body(response: &mut Response<Body>) {
    let body = std::mem::take(response.body_mut());
    if let Some(len) = body.size_hint().exact().filter(|len| *len > 0) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| len.into());
    }
}

/// An answer without a body.
pub(crate) fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Cause::Signalling);
    response
}

/// Reads a JSON post within its limits; otherwise the refusal to send: 413 too long, 408 too slow, 400 anything else.
pub(crate) async fn read_post<T: Signal>(body: Body) -> Result<T, Response<Body>> {
    let bytes = match timeout(POST_TIMEOUT, Limited::new(body, T::LEN_MAX).collect()).await {
        Err(_) => return Err(too_slow()),
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long(T::LEN_MAX)),
        Ok(Err(_)) => return Err(refusal(StatusCode::BAD_REQUEST, "the body ended early")),
    };
    decode(&bytes).map_err(|error| match error {
        SignalError::TooLong { max, .. } => too_long(max),
        SignalError::Json { .. } | SignalError::Limit(_) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    })
}

fn too_slow() -> Response<Body> {
    let mut response = refusal(StatusCode::REQUEST_TIMEOUT, &format!("the body did not arrive within {} s", POST_TIMEOUT.as_secs()));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn too_long(max: usize) -> Response<Body> {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is longer than {max} bytes"))
}
