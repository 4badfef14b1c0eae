//! One WebSocket of a WebTorrent client: announces in, offers and answers of others out. No fault of what it says ends it: the client would stay away for minutes.

use std::sync::Arc;

use viral_swarm::webtorrent::Guest;

use super::{Client, WebTorrent};
use crate::frames::{End, Event, Frames, GOING_AWAY, Hosted, Payload};
use crate::web_socket::{Message, WebSocket};

/// Runs a session until either side ends it. The tracker always hears that its peers left.
pub(crate) async fn run(socket: WebSocket, tracker: Arc<WebTorrent>, guest: Guest, hosted: Hosted) {
    let client = tracker.join(guest);
    let mut session = Session { frames: Frames::new(socket, hosted), client, tracker };
    let end = session.exchange().await;
    session.tracker.leave(&session.client);
    if let Some((code, reason)) = end {
        tracing::debug!(code, reason, "session of a WebTorrent client closed");
        Box::pin(session.frames.close((code, reason))).await;
    }
}

struct Session {
    frames: Frames,
    client: Client,
    tracker: Arc<WebTorrent>,
}

impl Session {
    /// Passes messages both ways. `None` when the other side is gone already.
    async fn exchange(&mut self) -> Option<End> {
        let (shutdown, outbox) = (self.frames.shutdown(), Arc::clone(&self.client.outbox));
        let begun = shutdown.begun();
        tokio::pin!(begun);
        loop {
            let event = tokio::select! {
                () = &mut begun => return Some((GOING_AWAY, "the server is shutting down")),
                () = outbox.filled() => None,
                event = self.frames.event() => Some(event),
            };
            // In a box, since a session that hears nothing is to have no room for it.
            if let Err(end) = Box::pin(self.turn(event)).await {
                return end;
            }
        }
    }

    /// Something came, or something waits to be sent. How the session ends by it, if it does.
    async fn turn(&mut self, event: Option<Event>) -> Result<(), Option<End>> {
        let Some(event) = event else { return self.send(None).await.ok_or(None) };
        match self.frames.take(event).await? {
            Some(Payload::Text(text)) => self.handle(&text).await.ok_or(None),
            // Some clients send their text so; what is none is answered like any other nonsense.
            Some(Payload::Binary(bytes)) => self.handle(std::str::from_utf8(&bytes).unwrap_or_default()).await.ok_or(None),
            None => Ok(()),
        }
    }

    async fn handle(&mut self, text: &str) -> Option<()> {
        let reply = self.tracker.handle(&mut self.client, text);
        match reply {
            Some(reply) => self.send(Some(Message::Text(reply))).await,
            None => Some(()),
        }
    }

    /// Sends a reply, and what waits from others.
    async fn send(&mut self, reply: Option<Message>) -> Option<()> {
        let waiting = self.client.outbox.take();
        if reply.is_none() && waiting.is_empty() {
            return Some(());
        }
        self.frames.send_all(reply.into_iter().chain(waiting.into_iter().map(Message::Text))).await
    }
}
