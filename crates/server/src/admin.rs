//! The operator's endpoints, on an address of their own: `/stats`, `/metrics`, `/lineage`, `/healthz`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::app::App;
use crate::endpoints::lineage_stream;
use crate::replies::refusal;
use crate::same_origin;

/// The routes.
pub(crate) fn router() -> Router<Arc<App>> {
    let routes = Router::new().route("/stats", get(stats)).route("/metrics", get(metrics));
    around(routes.route("/lineage", get(lineage_stream)).route("/healthz", get(healthz)).fallback(nothing))
}

/// Endpoints of the operator's, for nobody's pages.
pub(crate) fn around<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(from_fn(only_literal_hosts))
}

/// There is no password, and a page of anybody's can point a name of its own at a loopback address and then read what a browser on this machine may read.
async fn only_literal_hosts(request: Request, next: Next) -> Response<Body> {
    // HTTP/1.0 needs no host, and no browser speaks it.
    if request.headers().get(header::HOST).is_none_or(same_origin::is_literal) {
        next.run(request).await
    } else {
        refusal(StatusCode::MISDIRECTED_REQUEST, "ask by address or as localhost")
    }
}

async fn stats(State(app): State<Arc<App>>) -> Response<Body> {
    let mut response = Json(app.snapshot()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    app.exposition().respond(&headers)
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn nothing() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "there are /stats, /metrics, /lineage and /healthz")
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use crate::testing::{SITE, viral};

    use super::*;

    #[tokio::test]
    async fn the_operators_address_answers_to_addresses_and_localhost_only() {
        let viral = viral(&SITE, |_| ()).await;
        for (host, status) in [
            ("127.0.0.1:9090", 200),
            ("[::1]:9090", 200),
            ("localhost", 200),
            ("10.0.0.7:9090", 200),
            ("evil.example:9090", 421),
            ("localhost.evil.example", 421),
        ] {
            let request = Request::get("/stats").header("host", host).body(Body::empty()).unwrap();
            assert_eq!(viral.admin().oneshot(request).await.unwrap().status().as_u16(), status, "{host}");
        }
    }
}
