//! The operator's endpoints, on an address of their own: `/stats`, `/lineage`, `/healthz`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, Response, StatusCode, header};

use crate::app::App;
use crate::endpoints::{lineage_stream, refusal};

/// The routes.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/stats", get(stats)).route("/lineage", get(lineage_stream)).route("/healthz", get(healthz)).fallback(nothing)
}

async fn stats(State(app): State<Arc<App>>) -> Response<Body> {
    let snapshot = app.stats.snapshot(&app.hub.numbers(), app.hub.page_snapshots(), app.started.elapsed().as_secs());
    let mut response = Json(snapshot).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn nothing() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there are /stats, /lineage and /healthz")
}
