//! One WebSocket of a WebTorrent client: announces in, offers and answers of others out. No fault of what it says ends it: the client would stay away for minutes.

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Instant, Sleep, sleep_until};
use viral_swarm::webtorrent::Guest;

use super::{Client, WebTorrent};
use crate::frames::{End, Event, Frames, GOING_AWAY, Hosted, Payload};
use crate::limits::{ANNOUNCE_WRITE_EVERY, ANNOUNCE_WRITE_LEN, LET_GO_FROM};
use crate::web_socket::{Message, WebSocket};

/// Runs a session until either side ends it. The tracker always hears that its peers left.
pub(crate) async fn run(socket: WebSocket, tracker: Arc<WebTorrent>, guest: Guest, hosted: Hosted) {
    let client = tracker.join(guest);
    let mut session = Session { frames: Frames::new(socket, hosted), client, tracker, written: None, due: None };
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
    /// When something was written last.
    written: Option<Instant>,
    /// When what waits is written.
    due: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// Passes messages both ways. `None` when the other side is gone already.
    async fn exchange(&mut self) -> Option<End> {
        let (shutdown, send_queue) = (self.frames.shutdown(), Arc::clone(&self.client.send_queue));
        // It would be away for minutes, and others with it: where a successor serves, they go one after the other.
        let lets_go = shutdown.lets_go(rand::random_range(LET_GO_FROM..1.0));
        tokio::pin!(lets_go);
        loop {
            let happened = tokio::select! {
                () = &mut lets_go => return Some((GOING_AWAY, "the server is shutting down")),
                () = send_queue.filled(), if self.due.is_none() => Happened::Filled,
                () = is_due(&mut self.due) => Happened::Due,
                event = self.frames.event() => Happened::Said(event),
            };
            // In a box, since a session that hears nothing is to have no room for it.
            if let Err(end) = Box::pin(self.turn(happened)).await {
                return end;
            }
        }
    }

    /// How the session ends by what happened, if it does.
    async fn turn(&mut self, happened: Happened) -> Result<(), Option<End>> {
        let event = match happened {
            // Something may have been taken since.
            Happened::Filled if self.client.send_queue.is_empty() => return Ok(()),
            Happened::Filled => return self.write_soon().await,
            Happened::Due => return self.write().await,
            Happened::Said(event) => event,
        };
        match self.frames.take(event).await? {
            Some(Payload::Text(text)) => self.handle(&text).await,
            // Some clients send their text so; what is none is answered like any other nonsense.
            Some(Payload::Binary(bytes)) => self.handle(std::str::from_utf8(&bytes).unwrap_or_default()).await,
            None => Ok(()),
        }
    }

    async fn handle(&mut self, text: &str) -> Result<(), Option<End>> {
        let Some(reply) = self.tracker.handle(&mut self.client, text) else { return Ok(()) };
        // Who asks for more than it reads is not listened to meanwhile.
        if self.client.send_queue.put_own(reply) >= ANNOUNCE_WRITE_LEN { self.write().await } else { self.write_soon().await }
    }

    /// Writes what waits now, or when the socket has had its pause.
    async fn write_soon(&mut self) -> Result<(), Option<End>> {
        if self.due.is_some() {
            return Ok(());
        }
        match self.written.map(|written| written + ANNOUNCE_WRITE_EVERY) {
            Some(at) if at > Instant::now() => {
                self.due = Some(Box::pin(sleep_until(at)));
                Ok(())
            }
            _ => self.write().await,
        }
    }

    async fn write(&mut self) -> Result<(), Option<End>> {
        self.due = None;
        let waiting = self.client.send_queue.take();
        self.frames.send_all(waiting.into_iter().map(Message::Text)).await.ok_or(None)?;
        self.written = Some(Instant::now());
        Ok(())
    }
}

/// Waits until something is to be written; for ever where nothing is.
async fn is_due(due: &mut Option<Pin<Box<Sleep>>>) {
    match due {
        Some(due) => due.await,
        None => std::future::pending().await,
    }
}

/// What a session waits for.
enum Happened {
    /// A message of somebody else waits to be written.
    Filled,
    /// The pause after the last write is over.
    Due,
    Said(Event),
}
