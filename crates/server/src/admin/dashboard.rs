//! The dashboard: a page, its script and its style, compiled in. It loads nothing from elsewhere.

use std::sync::LazyLock;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, header};

use crate::endpoints::revalidated;
use crate::scripts::Script;

/// The page.
const PAGE: &str = include_str!("dashboard.html");

/// Its own script, its own style, and what the script asks of this server.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("../../scripts/dashboard.js").to_owned()));
static STYLE: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("../../scripts/dashboard.css").to_owned()));

/// `GET /`
pub(crate) async fn page() -> Response<Body> {
    let mut response = Response::new(Body::from(PAGE));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    guarded(response)
}

/// `GET /dashboard.js`
pub(crate) async fn script(headers: HeaderMap) -> Response<Body> {
    guarded(revalidated(&SCRIPT, None, &headers))
}

/// `GET /dashboard.css`
pub(crate) async fn style(headers: HeaderMap) -> Response<Body> {
    let mut response = guarded(revalidated(&STYLE, None, &headers));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}

fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
