//! A service worker of the site's own: its script is sent with ours in front, so that the site keeps its worker and its pages travel all the same (docs/adr/0082).

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::BodyExt as _;
use viral_site::{Coding, accepted, begins_with_import, encode_quick};
use viral_swarm::admission::CookieState;

use crate::app::App;
use crate::config::OwnServiceWorker;
use crate::limits::WORKER_SCRIPT_LEN_MAX;
use crate::scripts::Scripts;
use viral_swarm::personal::{OF_THE_BYTES, keep_from_shared_caches, tags};
use viral_swarm::request::{cookies, evidence};

/// Whether a page asks for this as its service worker, and ours is to be in it.
pub(crate) fn is_asked(app: &App, request: &Parts) -> bool {
    let headers = &request.headers;
    request.method == Method::GET
        && evidence::is_script_of_worker(headers)
        && app.own_service_worker == OwnServiceWorker::Auto
        && cookies::visitor_state(headers) != CookieState::Off
}

/// A request for the script of a service worker of the site's own.
pub(crate) struct WorkerScript {
    /// The coding in which the visitor likes it best.
    coding: Option<Coding>,
}

impl WorkerScript {
    /// Of a request that [`is_asked`], which is made to ask for the script whole, in no coding, and compared only with what ours was in.
    pub(crate) fn prepare(request: &mut Parts, app: &App) -> Self {
        let headers = &mut request.headers;
        let coding = accepted(headers).first().copied();
        tags::ask_for_whole(headers, app.scripts.worker_tag_suffix());
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Self { coding }
    }

    /// The script with ours in front; what is none, is longer than [`WORKER_SCRIPT_LEN_MAX`] or comes in a coding nobody asked for stays as it is.
    pub(crate) async fn answer(self, app: &App, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::NOT_MODIFIED {
            make_ours(&mut head.headers, &app.scripts);
            keep_apart(&mut head.headers);
            return Response::from_parts(head, body);
        }
        let is_plain = head.headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
        if head.status != StatusCode::OK || !is_plain || !is_script(&head.headers) {
            return Response::from_parts(head, body);
        }
        let whole = match gather(body).await {
            Ok(whole) => whole,
            Err(body) => return Response::from_parts(head, body),
        };
        for name in OF_THE_BYTES {
            head.headers.remove(name);
        }
        head.headers.remove(header::CONTENT_ENCODING);
        make_ours(&mut head.headers, &app.scripts);
        keep_apart(&mut head.headers);
        let with_ours = with_ours(&app.scripts, &whole);
        let (coding, plain) = (self.coding, with_ours.clone());
        // A long one takes a while.
        let coding = move || coding.and_then(|coding| Some((coding, encode_quick(coding, &plain).ok()?)));
        let coded = tokio::task::spawn_blocking(coding).await.ok().flatten();
        let body = match coded {
            Some((coding, body)) => {
                head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
                Bytes::from(body)
            }
            None => with_ours,
        };
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Response::from_parts(head, Body::from(body))
    }
}

/// It depends on who asks, and for what; caches that heed no `Vary` must not have it.
fn keep_apart(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding, service-worker"));
    keep_from_shared_caches(headers);
}

fn make_ours(headers: &mut HeaderMap, scripts: &Scripts) {
    tags::make_ours(headers, scripts.worker_tag_suffix());
}

/// Whether browsers take this for a script (<https://mimesniff.spec.whatwg.org/#javascript-mime-type>, the names in use).
fn is_script(headers: &HeaderMap) -> bool {
    const TYPES: [&str; 4] = ["text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript"];
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known))
}

/// All of a body; one that is too long or breaks goes on as it came.
async fn gather(mut body: Body) -> Result<Bytes, Body> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => whole.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => return Err(resumed(whole.freeze(), Some(error), body)),
        }
        if whole.len() > WORKER_SCRIPT_LEN_MAX {
            return Err(resumed(whole.freeze(), None, body));
        }
    }
    Ok(whole.freeze())
}

/// What came of a body, how it broke, if it did, and else the rest.
fn resumed(came: Bytes, broke: Option<axum::Error>, rest: Body) -> Body {
    let came = stream::iter([Some(Ok(came)), broke.map(Err)].into_iter().flatten());
    Body::from_stream(came.chain(rest.into_data_stream()))
}

/// A script of the site's own with ours in front. A module runs what it imports before its first line, so ours is its first import.
fn with_ours(scripts: &Scripts, script: &[u8]) -> Bytes {
    let mut all = BytesMut::new();
    if begins_with_import(script) {
        all.extend_from_slice(format!("import\"{}\";\n", scripts.inside_path()).as_bytes());
    } else {
        all.extend_from_slice(&scripts.inside.body(None));
        all.extend_from_slice(b"\n");
    }
    all.extend_from_slice(script.strip_prefix(b"\xef\xbb\xbf").unwrap_or(script));
    all.freeze()
}
