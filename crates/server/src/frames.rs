//! Frames to and from one WebSocket: counted, bounded in time, pings that show who is gone, and a goodbye that arrives.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::limits::{CLOSE_WAIT, IDLE_TIMEOUT, PING_INTERVAL, SOCKET_AWAKE, SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S, WRITE_TIMEOUT};
use crate::shutdown::{Shutdown, TaskGuard};
use crate::stats::{Cause, Stats};
use crate::web_socket::{CloseFrame, Error, Message, Utf8Bytes, WebSocket};
use viral_swarm::allowance::Allowance;

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
    /// When something is to be done though nobody says anything.
    alarm: Pin<Box<Sleep>>,
    /// When the client is asked for a sign of life.
    ping_at: Instant,
    heard: Instant,
    /// When something was said last, by either side.
    busy: Instant,
}

/// What [`Frames::take`] looks at.
pub(crate) enum Event {
    /// The client sent this; `None` when it is gone.
    Came(Option<Result<Message, Error>>),
    /// The alarm rang, and the client says nothing.
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
        let ping_at = now + PING_INTERVAL;
        let control = Allowance::new(SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S);
        Self { socket, hosted, control, alarm: Box::pin(sleep_until(ping_at)), ping_at, heard: now, busy: now }
    }

    /// Says when the server ends.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.hosted.shutdown.clone()
    }

    /// What happens next, for [`Self::take`]. Nothing is lost where nobody waits for it any more.
    pub(crate) async fn event(&mut self) -> Event {
        tokio::select! {
            // What came is heard before anybody takes the socket for quiet.
            biased;
            message = self.socket.recv() => Event::Came(message),
            () = self.alarm.as_mut() => Event::Tick,
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
                self.note_busy(self.heard);
                message.ok_or(None)?
            }
            Event::Tick => return self.tick().await.map(|()| None),
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
                if self.control.take(self.heard.into_std(), 1) {
                    Ok(None)
                } else {
                    Err(Some((POLICY, "too many pings")))
                }
            }
            // Only who sends frames of its own making meets with this.
            Ok(Message::Frame(_)) => Ok(None),
            // Where the next message begins is not known any more.
            Err(_) => Err(Some((TOO_BIG, "message malformed or too long"))),
        }
    }

    /// The alarm rang: the socket sleeps if nothing was said for a while, and its client is pinged if it is time for that.
    async fn tick(&mut self) -> Result<(), Option<End>> {
        let now = Instant::now();
        if now >= self.busy + SOCKET_AWAKE {
            self.socket.sleep();
        }
        if now >= self.ping_at {
            if self.heard.elapsed() > IDLE_TIMEOUT {
                return Err(Some((GOING_AWAY, "no sign of life")));
            }
            self.ping_at = now + PING_INTERVAL;
            self.send(Message::Ping(Bytes::new())).await.ok_or(None)?;
        }
        // Where it could not sleep, it is tried again as long after.
        let tired_at = self.socket.is_awake().then(|| (self.busy + SOCKET_AWAKE).max(now + SOCKET_AWAKE / 2));
        self.alarm.as_mut().reset(tired_at.map_or(self.ping_at, |tired_at| tired_at.min(self.ping_at)));
        Ok(())
    }

    /// Something was said: it is not to stay awake for long after. An alarm that is near stays as it is, for it looks at the time itself.
    fn note_busy(&mut self, now: Instant) {
        self.busy = now;
        let tired_at = now + SOCKET_AWAKE;
        if self.alarm.deadline() > tired_at {
            self.alarm.as_mut().reset(tired_at);
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
        self.note_busy(Instant::now());
        if let Some(stats) = &self.hosted.stats {
            stats.add_sent(Cause::Signalling, len);
        }
        Some(())
    }

    pub(crate) async fn close(&mut self, (code, reason): End) {
        let sent = self.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await;
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
        Message::Frame(frame) => frame.payload().len(),
    };
    let head = match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    };
    (head + payload) as u64
}
