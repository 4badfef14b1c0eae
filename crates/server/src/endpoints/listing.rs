//! `GET /.viral/assets`: the records of all assets in stretches, for seeders that mirror a whole site. Off unless the operator allows it, since it names
//! files that no page refers to.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use viral_site::first_stretch;

use super::pieces::{binary, is_worth_peers};
use super::scripts::knows;
use crate::app::App;
use crate::replies::{done, refusal};

/// `GET /.viral/assets?after=PATH`: records of the assets after this path, as a manifest; 204 after the last one, 304 while the version is that of
/// `If-None-Match`.
pub(crate) async fn assets(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    if !app.list_assets {
        return refusal(StatusCode::FORBIDDEN, "this server does not list its assets; its operator can allow it with --list-assets");
    }
    let version = app.site.current();
    let tag = format!("\"{}\"", version.tag());
    let is_known = knows(&headers, &tag);
    let tag = HeaderValue::try_from(tag).expect("a tag is hex digits");
    if is_known {
        let mut response = done();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(header::ETAG, tag);
        return response;
    }
    let after = query.as_deref().and_then(|query| query.strip_prefix("after=")).unwrap_or("/");
    let Some(following) = version.assets_after(after) else { return refusal(StatusCode::BAD_REQUEST, "that is no path of an asset") };
    let travelling = following.filter(|asset| is_worth_peers(asset)).map(|asset| asset.record());
    let mut response = match first_stretch(travelling) {
        Ok(Some(blob)) => binary(Body::from(blob)),
        Ok(None) => done(),
        Err(error) => {
            tracing::error!(%error, "assets cannot be listed");
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the assets cannot be listed; the server's log says why");
        }
    };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
