//! Frames to and from one WebSocket: counted, bounded in time, pings that show who is gone, and a goodbye that arrives.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use crate::allowance::Allowance;
use crate::limits::{CLOSE_WAIT, IDLE_TIMEOUT, PING_INTERVAL, SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S, WRITE_TIMEOUT};
use crate::shutdown::{Shutdown, TaskGuard};
use crate::stats::{Cause, Stats};

/// Close codes (RFC 6455 section 7.4.1).
pub(crate) const GOING_AWAY: u16 = 1001;
pub(crate) const UNSUPPORTED: u16 = 1003;
pub(crate) const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;

/// Why a socket ends; the code and reason of the close frame.
pub(crate) type End = (u16, &'static str);

/// What every socket has of its server.
pub(crate) struct Hosted {
    /// Counts what is sent, where the stream does not.
    pub(crate) stats: Option<Arc<Stats>>,
    /// Says when the server ends.
    pub(crate) shutdown: Shutdown,
    /// Dropped when the socket has said goodbye.
    pub(crate) _task: TaskGuard,
}

/// One WebSocket.
pub(crate) struct Frames {
    socket: WebSocket,
    hosted: Hosted,
    /// Pings and pongs that the client may still send.
    control: Allowance,
    /// When the client is asked for a sign of life.
    ping: Interval,
    heard: Instant,
}

/// What [`Frames::take`] looks at.
pub(crate) enum Event {
    /// The client sent this; `None` when it is gone.
    Came(Option<Result<Message, axum::Error>>),
    /// It is time for a ping.
    Tick,
}

/// What a client says.
pub(crate) enum Payload {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Frames {
    pub(crate) fn new(socket: WebSocket, hosted: Hosted) -> Self {
        let now = Instant::now();
        let mut ping = interval_at(now + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { socket, hosted, control: Allowance::new(SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S), ping, heard: now }
    }

    /// Says when the server ends.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.hosted.shutdown.clone()
    }

    /// What happens next, for [`Self::take`]. Nothing is lost where nobody waits for it any more.
    pub(crate) async fn event(&mut self) -> Event {
        tokio::select! {
            message = self.socket.recv() => Event::Came(message),
            _ = self.ping.tick() => Event::Tick,
        }
    }

    /// What the client says by that, if anything.
    ///
    /// # Errors
    /// How the socket ends; `None` when the other side is gone already.
    pub(crate) async fn take(&mut self, event: Event) -> Result<Option<Payload>, Option<End>> {
        let message = match event {
            Event::Came(message) => {
                self.heard = Instant::now();
                message.ok_or(None)?
            }
            Event::Tick if self.heard.elapsed() > IDLE_TIMEOUT => return Err(Some((GOING_AWAY, "no sign of life"))),
            Event::Tick => return self.send(Message::Ping(Default::default())).await.map(|()| None).ok_or(None),
        };
        match message {
            Ok(Message::Text(text)) => Ok(Some(Payload::Text(text))),
            Ok(Message::Binary(bytes)) => Ok(Some(Payload::Binary(bytes))),
            // The reply is made already, and leaves while we read on to the end.
            Ok(Message::Close(_)) => {
                self.read_to_end().await;
                Err(None)
            }
            // Each ping is answered already, as far as there is room for it.
            Ok(Message::Ping(_) | Message::Pong(_)) => {
                if self.control.take(self.heard, 1) {
                    Ok(None)
                } else {
                    Err(Some((POLICY, "too many pings")))
                }
            }
            // Where the next message begins is not known any more.
            Err(_) => Err(Some((TOO_BIG, "message malformed or too long"))),
        }
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
        if let Some(stats) = &self.hosted.stats {
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

    async fn read_to_end(&mut self) {
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
