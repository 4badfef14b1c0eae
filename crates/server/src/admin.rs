//! The operator's endpoints, on an address of their own: the dashboard, `/overview`, `/stats`, `/metrics`, `/lineage`, `/healthz`.

mod dashboard;
mod guard;
mod overview;
mod sampling;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::middleware::from_fn;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Deserialize;

pub(crate) use self::guard::Guard;
use self::overview::Overview;
pub(crate) use self::sampling::sample;
use crate::app::App;
use crate::endpoints::lineage_stream;
use crate::replies::refusal;

/// The routes of one site.
pub(crate) fn router(guard: Guard) -> Router<Arc<App>> {
    let routes = with_dashboard(Router::new().route("/stats", get(stats)).route("/metrics", get(metrics)));
    let routes = routes.route("/overview", get(overview)).route("/sites", get(no_sites));
    around(routes.route("/lineage", get(lineage_stream)).route("/healthz", get(healthz)).fallback(nothing), guard)
}

/// The files of the dashboard, the same for any number of sites.
pub(crate) fn with_dashboard<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let router = router.route("/", get(dashboard::page)).route("/dashboard.js", get(dashboard::script));
    router.route("/dashboard.css", get(dashboard::style))
}

/// Endpoints of the operator's, for nobody's pages.
pub(crate) fn around<S: Clone + Send + Sync + 'static>(router: Router<S>, guard: Guard) -> Router<S> {
    router.layer(from_fn(move |request, next| guard.clone().pass(request, next)))
}

/// What the dashboard asks for.
#[derive(Debug, Deserialize)]
struct Asked {
    /// Points that ended until then are known, in the clock of the last answer.
    #[serde(default)]
    since: u64,
}

async fn overview(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Response<Body> {
    unstored(Json(Overview::of(&app, asked.since)))
}

/// Hosts of the sites, where there are several.
async fn no_sites() -> Response<Body> {
    unstored(Json([(); 0]))
}

/// For whoever asks now.
pub(crate) fn unstored<T: serde::Serialize>(json: Json<T>) -> Response<Body> {
    let mut response = json.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn stats(State(app): State<Arc<App>>) -> Response<Body> {
    unstored(Json(app.snapshot()))
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    app.exposition().respond(&headers)
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn nothing() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there are /, /stats, /metrics, /lineage and /healthz")
}

#[cfg(test)]
mod tests;
