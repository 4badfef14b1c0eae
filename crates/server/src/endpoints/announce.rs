//! `/.viral/announce`: the tracker for WebTorrent clients.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use http::{HeaderMap, Response, StatusCode};
use viral_swarm::webtorrent::Guest;
use viral_wire::limits::ANNOUNCE_LEN_MAX;

use super::handshake;
use crate::app::App;
use crate::client::Socket;
use crate::limits::{ANNOUNCE_RECEIVED_BURST_MAX, ANNOUNCE_RECEIVED_PER_S, ANNOUNCE_WRITE_LEN, ANNOUNCE_WRITE_LEN_MAX, SOCKET_READ_LEN};
use crate::meter::Meter;
use crate::replies::refusal;
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
    let received = (ANNOUNCE_RECEIVED_BURST_MAX, ANNOUNCE_RECEIVED_PER_S);
    let (upgrade, hosted) = match handshake::begin(&app, upgrade, meter, received) {
        Ok(begun) => begun,
        Err(refused) => return refused,
    };
    app.look_at_proxy(peer, &headers);
    let client = app.client_addr(peer, &headers);
    let upgrade = upgrade.max_message_size(ANNOUNCE_LEN_MAX).max_frame_size(ANNOUNCE_LEN_MAX).read_buffer_size(SOCKET_READ_LEN);
    let upgrade = upgrade.write_buffer_size(ANNOUNCE_WRITE_LEN).max_write_buffer_size(ANNOUNCE_WRITE_LEN_MAX);
    let guest = Guest { place: client.place(), share: client.share };
    handshake::answer(upgrade, move |socket| webtorrent::run(socket, tracker, guest, hosted))
}
