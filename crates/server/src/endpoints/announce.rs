//! `/.viral/announce`: the tracker for WebTorrent clients.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use viral_swarm::webtorrent::Guest;
use viral_wire::limits::ANNOUNCE_LEN_MAX;

use super::handshake::{self, NoUpgrade, Upgrade};
use crate::app::App;
use crate::client::AskedBy;
use crate::limits::{ANNOUNCE_RECEIVED_BURST_MAX, ANNOUNCE_RECEIVED_PER_S, ANNOUNCE_WRITE_LEN, ANNOUNCE_WRITE_LEN_MAX, SOCKET_READ_LEN};
use crate::meter::Meter;
use crate::replies::refusal;
use crate::webtorrent;

/// `GET /.viral/announce`
pub(crate) async fn socket(
    State(app): State<Arc<App>>,
    AskedBy(peer): AskedBy,
    meter: Option<Extension<Meter>>,
    headers: HeaderMap,
    upgrade: Result<Upgrade, NoUpgrade>,
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
    let guest = Guest { place: client.place(), share: client.share };
    handshake::answer(upgrade, socket_config, move |socket| webtorrent::run(socket, tracker, guest, hosted))
}

fn socket_config() -> WebSocketConfig {
    let config = WebSocketConfig::default().max_message_size(Some(ANNOUNCE_LEN_MAX)).max_frame_size(Some(ANNOUNCE_LEN_MAX));
    config.read_buffer_size(SOCKET_READ_LEN).write_buffer_size(ANNOUNCE_WRITE_LEN).max_write_buffer_size(ANNOUNCE_WRITE_LEN_MAX)
}
