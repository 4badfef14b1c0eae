//! One WebSocket of a WebTorrent client: announces in, offers and answers of others out. No fault of what it says ends it: the client would stay away for minutes.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::{Instant, MissedTickBehavior, interval};
use viral_swarm::webtorrent::Guest;

use super::{Client, WebTorrent};
use crate::frames::{End, Frames, GOING_AWAY, POLICY, TOO_BIG};
use crate::limits::{IDLE_TIMEOUT, PING_INTERVAL};
use crate::shutdown::{Shutdown, TaskGuard};
use crate::stats::Stats;

/// What a session needs besides its socket.
pub(crate) struct Context {
    /// The tracker.
    pub(crate) tracker: Arc<WebTorrent>,
    /// Counts what is sent, where the stream does not.
    pub(crate) stats: Option<Arc<Stats>>,
    /// Says when the server ends.
    pub(crate) shutdown: Shutdown,
    /// Dropped when the session has said goodbye.
    pub(crate) _task: TaskGuard,
}

/// Runs a session until either side ends it. The tracker always hears that its peers left.
pub(crate) async fn run(socket: WebSocket, guest: Guest, context: Context) {
    let client = context.tracker.join(guest);
    let mut session = Session { frames: Frames::new(socket, context.stats.clone()), client, context };
    let end = session.exchange().await;
    session.context.tracker.leave(&session.client);
    if let Some((code, reason)) = end {
        tracing::debug!(code, reason, "session of a WebTorrent client closed");
        session.frames.close((code, reason)).await;
    }
}

struct Session {
    frames: Frames,
    client: Client,
    context: Context,
}

impl Session {
    /// Passes messages both ways. `None` when the other side is gone already.
    async fn exchange(&mut self) -> Option<End> {
        let (shutdown, outbox) = (self.context.shutdown.clone(), Arc::clone(&self.client.outbox));
        let begun = shutdown.begun();
        tokio::pin!(begun);
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.tick().await;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = &mut begun => return Some((GOING_AWAY, "the server is shutting down")),
                () = outbox.filled() => self.send(None).await?,
                message = self.frames.recv() => {
                    heard = Instant::now();
                    match message? {
                        Ok(Message::Text(text)) => self.handle(&text).await?,
                        // Some clients send their text so; what is none is answered like any other nonsense.
                        Ok(Message::Binary(bytes)) => self.handle(std::str::from_utf8(&bytes).unwrap_or_default()).await?,
                        Ok(Message::Close(_)) => {
                            self.frames.read_to_end().await;
                            return None;
                        }
                        Ok(Message::Ping(_) | Message::Pong(_)) => {
                            if !self.frames.may_ping(heard) {
                                return Some((POLICY, "too many pings"));
                            }
                        }
                        // Where the next message begins is not known any more.
                        Err(_) => return Some((TOO_BIG, "message malformed or too long")),
                    }
                },
                _ = ping.tick() => {
                    if heard.elapsed() > IDLE_TIMEOUT {
                        return Some((GOING_AWAY, "no sign of life"));
                    }
                    self.frames.send(Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    async fn handle(&mut self, text: &str) -> Option<()> {
        let reply = self.context.tracker.handle(&mut self.client, text);
        match reply {
            Some(reply) => self.send(Some(Message::Text(reply))).await,
            None => Some(()),
        }
    }

    /// Sends a reply, and what waits from others.
    async fn send(&mut self, reply: Option<Message>) -> Option<()> {
        let waiting = self.client.outbox.take().into_iter().map(Message::Text);
        self.frames.send_all(reply.into_iter().chain(waiting)).await
    }
}
