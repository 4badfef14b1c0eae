//! How a WebSocket begins, whatever is spoken on it.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse as _;
use http::{Response, StatusCode};

use crate::app::App;
use crate::frames::Hosted;
use crate::meter::Meter;
use crate::replies::refusal;
use crate::stats::Cause;

/// What was asked for, if it is a WebSocket and the server does not end. Of bytes and how many a second `received` says how much a client may send.
///
/// # Errors
/// The refusal.
#[expect(clippy::result_large_err, reason = "a refusal is an answer, and sent at once")]
pub(super) fn begin(
    app: &App,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    meter: Option<Extension<Meter>>,
    received: (u64, u64),
) -> Result<(WebSocketUpgrade, Hosted), Response<Body>> {
    let upgrade = upgrade.map_err(|rejection| refusal(rejection.status(), "this address speaks WebSocket only"))?;
    let ending = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down");
    let task = app.task_tracker.hold().ok_or_else(ending)?;
    let stats = meter.is_none().then(|| Arc::clone(&app.stats));
    if let Some(Extension(meter)) = meter {
        meter.begin_session(received.0, received.1);
    }
    Ok((upgrade, Hosted { stats, shutdown: app.shutdown.clone(), _task: task }))
}

/// The answer after which `run` has the socket.
pub(super) fn answer<F>(upgrade: WebSocketUpgrade, run: impl FnOnce(WebSocket) -> F + Send + 'static) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut response = upgrade.on_upgrade(run).into_response();
    response.extensions_mut().insert(Cause::Signalling);
    response
}
