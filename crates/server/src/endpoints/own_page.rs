//! What the pages of ours have in common.

use axum::body::Body;
use http::{HeaderValue, Response, header};

use crate::app::App;
use crate::stats::Cause;

/// How they look.
const STYLE: &str = include_str!("own_page.css");

/// One of them: its look and the way back to the site are filled in, and it may do what `policy` says.
pub(super) fn own_page(app: &App, html: &str, policy: &'static str) -> Response<Body> {
    let html = html.replace("{{style}}", STYLE.trim_end()).replace("{{base}}", app.base.as_str());
    let mut response = Response::new(Body::from(html));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.extensions_mut().insert(Cause::Documents);
    response
}
