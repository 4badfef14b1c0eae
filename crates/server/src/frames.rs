//! Frames to and from one WebSocket: counted, bounded in time, and a goodbye that arrives.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::SinkExt as _;
use tokio::time::{Instant, timeout};

use crate::allowance::Allowance;
use crate::limits::{CLOSE_WAIT, SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S, WRITE_TIMEOUT};
use crate::stats::{Cause, Stats};

/// Close codes (RFC 6455 section 7.4.1).
pub(crate) const GOING_AWAY: u16 = 1001;
pub(crate) const UNSUPPORTED: u16 = 1003;
pub(crate) const POLICY: u16 = 1008;
pub(crate) const TOO_BIG: u16 = 1009;

/// Why a socket ends; the code and reason of the close frame.
pub(crate) type End = (u16, &'static str);

/// One WebSocket.
pub(crate) struct Frames {
    socket: WebSocket,
    /// Counts what is sent, where the stream does not.
    stats: Option<Arc<Stats>>,
    /// Pings and pongs that the client may still send.
    control: Allowance,
}

impl Frames {
    pub(crate) fn new(socket: WebSocket, stats: Option<Arc<Stats>>) -> Self {
        Self { socket, stats, control: Allowance::new(SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S) }
    }

    /// What the client sends next; `None` when it is gone.
    pub(crate) async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        self.socket.recv().await
    }

    /// The client sent a ping or a pong; false where it sends too many. Each ping is answered already, as far as there is room for it.
    pub(crate) fn may_ping(&mut self, now: Instant) -> bool {
        self.control.take(now, 1)
    }

    /// Sends and counts; `None` when the other side does not take it.
    pub(crate) async fn send(&mut self, message: Message) -> Option<()> {
        self.send_all([message]).await
    }

    /// The same of several, as few packets.
    pub(crate) async fn send_all(&mut self, messages: impl IntoIterator<Item = Message>) -> Option<()> {
        let mut len = 0;
        let socket = &mut self.socket;
        let sending = async {
            for message in messages {
                len += frame_len(&message);
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        timeout(WRITE_TIMEOUT, sending).await.ok()?.ok()?;
        if let Some(stats) = &self.stats {
            stats.add_sent(Cause::Signalling, len);
        }
        Some(())
    }

    pub(crate) async fn close(&mut self, (code, reason): End) {
        let sent = self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        // Reading on lets the other side's close frame arrive, so that the socket ends without a reset.
        if sent.is_some() {
            self.read_to_end().await;
        }
    }

    pub(crate) async fn read_to_end(&mut self) {
        let _ = timeout(CLOSE_WAIT, async { while matches!(self.socket.recv().await, Some(Ok(_))) {} }).await;
    }
}

/// Bytes on the wire of a frame from a server (RFC 6455 section 5.2).
fn frame_len(message: &Message) -> u64 {
    let payload = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(frame) => frame.as_ref().map_or(0, |frame| 2 + frame.reason.len()),
    };
    let head = match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    };
    (head + payload) as u64
}
