//! Everything of ours under `/.viral/`.

mod announce;
mod disclosure;
mod doctor;
mod handshake;
mod lineage;
mod listing;
mod own_page;
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
use viral_wire::{ADDITION_PATH, PERSONAL_PATH};

use crate::app::App;
use crate::replies::refusal;
use crate::scripts::{BESIDE_PATH, CROWD_PATH, INSIDE_PATH, TIME_PATH};

pub(crate) use lineage::stream as lineage_stream;
pub(crate) use scripts::script as revalidated;

/// Where the tracker for WebTorrent clients is.
pub(crate) const ANNOUNCE_PATH: &str = "/.viral/announce";

/// The routes. What is not among them is the site's.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/.viral/", get(disclosure::page))
        .route("/.viral/opt-out", post(disclosure::opt_out))
        .route("/.viral/opt-in", post(disclosure::opt_in))
        .route("/.viral/doctor", get(doctor::page).post(doctor::report))
        .route("/.viral/doctor.js", get(doctor::script))
        .route("/.viral/doctor.json", get(doctor::view))
        .route(ADDITION_PATH, get(scripts::addition))
        .route("/.viral/worker.js", get(scripts::worker))
        .route(INSIDE_PATH, get(scripts::inside))
        .route(BESIDE_PATH, get(scripts::beside))
        .route(CROWD_PATH, get(scripts::crowd))
        .route(PERSONAL_PATH, post(signals::personal))
        .route("/.viral/manifest/{digest}", get(pieces::manifest))
        .route("/.viral/pieces", get(pieces::pieces))
        .route("/.viral/record", post(pieces::record))
        .route("/.viral/assets", get(listing::assets))
        .route("/.viral/ws", get(signals::socket))
        .route(ANNOUNCE_PATH, get(announce::socket))
        .route("/.viral/answer", post(signals::answer))
        .route("/.viral/visit", post(signals::visit))
        .route("/.viral/time", post(signals::time))
        .route(TIME_PATH, get(scripts::time))
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
    disclosure::lead_to(&app, &mut response);
    response
}

#[cfg(test)]
mod tests;
