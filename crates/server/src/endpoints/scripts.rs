//! `/.viral/addition.js`, `/.viral/worker.js`, `/.viral/inside.js`, `/.viral/crowd.js` and `/.viral/beside.js`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::app::App;
use crate::coding;
use crate::scripts::Script;
use crate::stats::Cause;

/// Lets a worker under `/.viral/` control the whole site.
const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// `GET /.viral/addition.js`
pub(crate) async fn addition(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    script(&app.scripts.addition, query.as_deref(), &headers)
}

/// `GET /.viral/beside.js`
pub(crate) async fn beside(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    script(&app.scripts.beside, query.as_deref(), &headers)
}

/// `GET /.viral/crowd.js`
pub(crate) async fn crowd(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    script(&app.scripts.crowd, query.as_deref(), &headers)
}

/// `GET /.viral/time.js`
pub(crate) async fn time(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    script(&app.scripts.time, query.as_deref(), &headers)
}

/// `GET /.viral/inside.js`
pub(crate) async fn inside(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    script(&app.scripts.inside, query.as_deref(), &headers)
}

/// `GET /.viral/worker.js`
pub(crate) async fn worker(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    let mut response = script(&app.scripts.worker, query.as_deref(), &headers);
    response.headers_mut().insert(SERVICE_WORKER_ALLOWED, HeaderValue::try_from(app.base.as_str()).expect("a base is visible ASCII"));
    response
}

/// Immutable when the version asked for is the one there is; otherwise to be asked for again each time.
pub(crate) fn script(script: &Script, query: Option<&str>, request: &HeaderMap) -> Response<Body> {
    let coding = coding::choose(request);
    let versioned = query.and_then(|query| query.strip_prefix("v=")) == Some(script.version.as_str());
    let coded = coding.map_or_else(|| "Identity".to_owned(), |coding| format!("{coding:?}"));
    let etag = format!("\"{}-{coded}\"", script.version);
    let fresh = knows(request, &etag);
    let mut response = Response::new(if fresh { Body::empty() } else { Body::from(script.body(coding)) });
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if let Some(coding) = coding {
        response.headers_mut().insert(header::CONTENT_ENCODING, coding::header(coding));
    }
    let caching = if versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ETAG, HeaderValue::try_from(etag).expect("hex digits and a word are visible ASCII"));
    response.extensions_mut().insert(Cause::Loader);
    response
}

/// Whether `If-None-Match` names this tag (RFC 9110 section 13.1.2).
pub(super) fn knows(request: &HeaderMap, etag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SITE, get, viral};

    #[tokio::test]
    async fn a_versioned_address_is_immutable_and_any_other_is_asked_for_again() {
        let viral = viral(&SITE, |_| ()).await;
        let versioned = get(&viral, &format!("/.viral/addition.js?v={}", viral.app.scripts.addition.version), &[]).await;
        assert_eq!(versioned.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(get(&viral, "/.viral/addition.js?v=0", &[]).await.headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn the_worker_may_control_the_whole_site() {
        let response = get(&viral(&SITE, |_| ()).await, "/.viral/worker.js", &[]).await;
        assert_eq!(response.headers()[SERVICE_WORKER_ALLOWED], "/");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[tokio::test]
    async fn scripts_are_encoded_and_revalidated() {
        let viral = viral(&SITE, |_| ()).await;
        let worker = async |known: Option<&str>| {
            let known = known.map(|known| ("if-none-match", known));
            get(&viral, "/.viral/worker.js", &[Some(("accept-encoding", "br")), known].into_iter().flatten().collect::<Vec<_>>()).await
        };
        let response = worker(None).await;
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "br");
        let etag = response.headers()[header::ETAG].to_str().unwrap();
        for (known, expected) in [
            (etag.to_owned(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/{etag}"), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            assert_eq!(worker(Some(&known)).await.status(), expected, "{known}");
        }
    }
}
