//! Everything of ours under `/.viral/`.

mod disclosure;
mod lineage;
mod listing;
mod pieces;
mod scripts;
mod signals;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::map_response;
use axum::routing::{any, get, post};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;
use viral_wire::ADDITION_PATH;
use viral_wire::signal::{Signal, SignalError, decode};

use crate::app::App;
use crate::limits::POST_TIMEOUT;
use crate::stats::Cause;

pub(crate) use lineage::stream as lineage_stream;

/// The routes. What is not among them is the site's.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/.viral/", get(disclosure::page))
        .route("/.viral/opt-out", post(disclosure::opt_out))
        .route("/.viral/opt-in", post(disclosure::opt_in))
        .route(ADDITION_PATH, get(scripts::addition))
        .route("/.viral/worker.js", get(scripts::worker))
        .route("/.viral/manifest/{digest}", get(pieces::manifest))
        .route("/.viral/pieces", get(pieces::pieces))
        .route("/.viral/record", post(pieces::record))
        .route("/.viral/assets", get(listing::assets))
        .route("/.viral/ws", get(signals::socket))
        .route("/.viral/answer", post(signals::answer))
        .route("/.viral/visit", post(signals::visit))
        .route("/.viral/lineage", get(lineage::public))
        .route("/.viral/{*rest}", any(nothing))
        .route("/.viral", any(to_disclosure))
        .layer(map_response(guard))
}

/// Nothing of ours is taken for another type, tells other sites where a visitor was, or shares a process with a page of another site that opened it. The forms of the
/// disclosure page say where they come from, which `no-referrer` would hide.
async fn guard(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

async fn nothing() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there is nothing here; /.viral/ explains how this site is delivered")
}

async fn to_disclosure(State(app): State<Arc<App>>) -> Response<Body> {
    let mut response = refusal(StatusCode::PERMANENT_REDIRECT, "moved to .viral/");
    lead_to_disclosure(&app, &mut response);
    response
}

/// Says where the page is that explains.
fn lead_to_disclosure(app: &App, response: &mut Response<Body>) {
    let location = HeaderValue::try_from(app.base.own("")).expect("a base is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
}

/// A refusal in one line of text.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Cause::Signalling);
    response
}

/// An answer without a body.
fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Cause::Signalling);
    response
}

/// Reads a JSON post within its limits; otherwise the refusal to send: 413 too long, 408 too slow, 400 anything else.
async fn read_post<T: Signal>(body: Body) -> Result<T, Response<Body>> {
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

#[cfg(test)]
mod tests;
