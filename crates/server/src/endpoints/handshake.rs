//! How a WebSocket begins (RFC 6455 section 4.2), whatever is spoken on it.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::app::App;
use crate::frames::Hosted;
use crate::meter::Meter;
use crate::replies::refusal;
use crate::stats::Cause;
use crate::web_socket::WebSocket;

/// What is told to who asks for something else, or asks wrongly.
const ONLY_WEB_SOCKET: &str = "this address speaks WebSocket only";

/// A request for a WebSocket.
pub(crate) struct Upgrade {
    key: HeaderValue,
    on_upgrade: OnUpgrade,
}

/// Why a request is none: the status of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoUpgrade(StatusCode);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = NoUpgrade;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoUpgrade> {
        // By HTTP/2 it would be another method (RFC 8441), which is not offered.
        if parts.version > Version::HTTP_11 || parts.method != Method::GET {
            return Err(NoUpgrade(StatusCode::METHOD_NOT_ALLOWED));
        }
        let says = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_asked = says(header::CONNECTION).to_ascii_lowercase().contains("upgrade")
            && says(header::UPGRADE).eq_ignore_ascii_case("websocket")
            && says(header::SEC_WEBSOCKET_VERSION) == "13";
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_asked).cloned();
        let key = key.ok_or(NoUpgrade(StatusCode::BAD_REQUEST))?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(NoUpgrade(StatusCode::UPGRADE_REQUIRED))?;
        Ok(Self { key, on_upgrade })
    }
}

impl IntoResponse for NoUpgrade {
    fn into_response(self) -> Response {
        refusal(self.0, ONLY_WEB_SOCKET)
    }
}

/// What was asked for, if it is a WebSocket and the server does not end. Of bytes and how many a second `received` says how much a client may send.
///
/// # Errors
/// The refusal.
#[expect(clippy::result_large_err, reason = "a refusal is an answer, and sent at once")]
pub(super) fn begin(
    app: &App,
    upgrade: Result<Upgrade, NoUpgrade>,
    meter: Option<Extension<Meter>>,
    received: (u64, u64),
) -> Result<(Upgrade, Hosted), Response<Body>> {
    let upgrade = upgrade.map_err(IntoResponse::into_response)?;
    let ending = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down");
    let task = app.task_tracker.hold().ok_or_else(ending)?;
    let stats = meter.is_none().then(|| Arc::clone(&app.stats));
    if let Some(Extension(meter)) = meter {
        meter.begin_session(received.0, received.1);
    }
    Ok((upgrade, Hosted { stats, shutdown: app.shutdown.clone(), _task: task }))
}

/// The answer after which `run` has the socket, with these limits.
pub(super) fn answer<F>(
    upgrade: Upgrade,
    config: fn() -> WebSocketConfig,
    run: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let Upgrade { key, on_upgrade } = upgrade;
    tokio::spawn(async move {
        // A task of its own for the session, which lives for long: this one has room for what only the handshake needs.
        match on_upgrade.await {
            Ok(upgraded) => drop(tokio::spawn(run(WebSocket::new(TokioIo::new(upgraded), config)))),
            Err(error) => tracing::debug!(%error, "a client left before its WebSocket began"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 is a header's value");
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response.extensions_mut().insert(Cause::Signalling);
    response
}
