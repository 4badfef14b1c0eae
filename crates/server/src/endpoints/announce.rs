//! `/.viral/announce`: the tracker for WebTorrent clients.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::IntoResponse as _;
use http::{HeaderMap, Response, StatusCode};
use viral_swarm::webtorrent::Guest;
use viral_wire::limits::ANNOUNCE_LEN_MAX;

use crate::app::App;
use crate::client::Socket;
use crate::limits::{ANNOUNCE_RECEIVED_BURST_MAX, ANNOUNCE_RECEIVED_PER_S, ANNOUNCE_WRITE_LEN, ANNOUNCE_WRITE_LEN_MAX, SOCKET_READ_LEN};
use crate::meter::Meter;
use crate::replies::refusal;
use crate::stats::Cause;
use crate::webtorrent;

/// `GET /.viral/announce`
pub(crate) async fn socket(
    State(app): State<Arc<App>>,
    peer: Socket,
    meter: Option<Extension<Meter>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response<Body> {
    let Some(tracker) = app.webtorrent.clone() else {
        return refusal(
            StatusCode::NOT_FOUND,
            "this server is no tracker for WebTorrent clients; its operator can make it one with --webtorrent",
        );
    };
    if !tracker.is_named(&headers) && !app.is_own(peer, &headers) {
        return refusal(
            StatusCode::FORBIDDEN,
            "pages of this origin may not use this tracker; its operator can name it with --webtorrent-origin",
        );
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return refusal(rejection.status(), "this address speaks WebSocket only"),
    };
    let Some(task) = app.task_tracker.hold() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down");
    };
    app.look_at_proxy(peer, &headers);
    let client = app.client_addr(peer, &headers);
    let stats = meter.is_none().then(|| Arc::clone(&app.stats));
    let context = webtorrent::Context { tracker, stats, shutdown: app.shutdown.clone(), _task: task };
    let upgrade = upgrade.max_message_size(ANNOUNCE_LEN_MAX).max_frame_size(ANNOUNCE_LEN_MAX).read_buffer_size(SOCKET_READ_LEN);
    let upgrade = upgrade.write_buffer_size(ANNOUNCE_WRITE_LEN).max_write_buffer_size(ANNOUNCE_WRITE_LEN_MAX);
    if let Some(Extension(meter)) = meter {
        meter.begin_session(ANNOUNCE_RECEIVED_BURST_MAX, ANNOUNCE_RECEIVED_PER_S);
    }
    let guest = Guest { place: client.place(), share: client.share };
    let mut response = upgrade.on_upgrade(move |socket| webtorrent::run(socket, guest, context)).into_response();
    response.extensions_mut().insert(Cause::Signalling);
    response
}
