//! What one peer asks of the origin: each request is a task, and what it comes to an event.

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use viral_wire::signal::{Answer, AnswerPost};
use viral_wire::{Digest, PieceId, Ticket};

use crate::limits::ORIGIN_EVENTS_MAX;
use crate::origin::{Origin, OriginEvent};

/// Requests under way; they end with this value.
pub(super) struct Requests {
    pub(super) origin: Origin,
    ticket: Option<Ticket>,
    events: mpsc::Receiver<OriginEvent>,
    sender: mpsc::Sender<OriginEvent>,
    tasks: JoinSet<()>,
}

impl Requests {
    /// None yet.
    pub(super) fn new(origin: Origin, ticket: Option<Ticket>) -> Self {
        let (sender, events) = mpsc::channel(ORIGIN_EVENTS_MAX);
        Self { origin, ticket, events, sender, tasks: JoinSet::new() }
    }

    /// What is heard next. Cancel-safe.
    pub(super) async fn next(&mut self) -> OriginEvent {
        let event = self.events.recv().await;
        while self.tasks.try_join_next().is_some() {}
        match event {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    pub(super) fn ask_manifest(&mut self, digest: Digest) {
        self.spawn(|origin, _| async move {
            let blob = origin.manifest(&digest).await;
            OriginEvent::Manifest { digest, blob }
        });
    }

    pub(super) fn ask_pieces(&mut self, ids: Vec<PieceId>) {
        self.spawn(|origin, events| async move {
            let outcome = origin.pieces(&ids, &events).await;
            OriginEvent::Served { ids, outcome }
        });
    }

    /// Asks which assets there are, if they are others than those of `tag`.
    pub(super) fn ask_listing(&mut self, tag: Option<String>) {
        self.spawn(|origin, _| async move { OriginEvent::Listed(origin.listing(tag.as_deref()).await) });
    }

    /// Answers the offers that came with a thin visit; without one there is nobody to answer.
    pub(super) fn post(&mut self, answers: Vec<Answer>) {
        if let Some(ticket) = self.ticket {
            self.spawn(|origin, _| async move { OriginEvent::Answered(origin.answer(&AnswerPost { ticket, answers }).await) });
        }
    }

    pub(super) fn stop(&mut self) {
        self.tasks.abort_all();
    }

    fn spawn<F>(&mut self, request: impl FnOnce(Origin, mpsc::Sender<OriginEvent>) -> F)
    where
        F: Future<Output = OriginEvent> + Send + 'static,
    {
        let events = self.sender.clone();
        let outcome = request(self.origin.clone(), events.clone());
        self.tasks.spawn(async move {
            let _ = events.send(outcome.await).await;
        });
    }
}
