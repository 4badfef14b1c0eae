//! Answers: conditional and Range requests, content codings and HEAD, for one asset.

use axum::body::Body;
use http::{Response, request::Parts};

use super::{Asset, Version, Which};

/// Answers a request for `asset` as RFC 9110 says: preconditions, ranges, content coding, HEAD; 405 for other methods.
///
/// Only the method and the headers of `request` are read. Unchanged by admission: the caller adds its own headers.
pub async fn respond(version: &Version, asset: &Asset, which: Which, request: &Parts) -> Response<Body> {
    todo!()
}

/// Status 404 with the site's page for it, or a line of text.
pub async fn respond_not_found(version: &Version, page: Option<&Asset>, which: Which, request: &Parts) -> Response<Body> {
    todo!()
}

/// Status 308 to `path`, keeping the query of the request.
pub fn respond_redirect(version: &Version, path: &str, request: &Parts) -> Response<Body> {
    todo!()
}
