//! One WebSocket of a peer: signals in, signals out, pings, and a goodbye with a reason.

use std::sync::Arc;

use tracing::Instrument as _;
use viral_swarm::join::JoinRefusal;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{ErrorCode, PeerNumber, PeerToTracker, TrackerToPeer, decode, encode};

use crate::cluster::Guest;
use crate::frames::{End, Event, Frames, GOING_AWAY, Hosted, POLICY, Payload, UNSUPPORTED};
use crate::hub::{Hub, Outgoing, OutgoingReceiver};
use crate::joins::JoinPass;
use crate::traces;
use crate::web_socket::{Message, WebSocket};

/// Runs a session until either side ends it. The tracker always hears that the peer left.
pub(crate) async fn run(socket: WebSocket, hub: Arc<Hub>, (client, guest, pass): (ClientAddr, Option<Guest>, JoinPass), hosted: Hosted) {
    let (peer, outgoing) = hub.join(client);
    let frames = Frames::new(socket, hosted);
    let mut session = Session { frames, peer, hub: Arc::clone(&hub), guest: guest.map(Box::new), pass: Some(Box::new(pass)) };
    let lived = async {
        let end = session.exchange(outgoing).await;
        hub.leave(peer);
        if let Some((code, reason)) = end {
            tracing::debug!(code, reason, "session closed");
            Box::pin(session.frames.close((code, reason))).await;
        }
    };
    let span = tracing::debug_span!("session", %peer);
    traces::begin(&span, None);
    lived.instrument(span).await;
}

struct Session {
    frames: Frames,
    peer: PeerNumber,
    hub: Arc<Hub>,
    /// What the session is to other servers.
    guest: Option<Box<Guest>>,
    /// Until it registered.
    pass: Option<Box<JoinPass>>,
}

/// What a session has to do next.
enum Next {
    Came(Event),
    Send(Option<Outgoing>),
    Found(TrackerToPeer),
}

impl Session {
    /// Passes signals both ways. `None` when the other side is gone already.
    async fn exchange(&mut self, mut outgoing: OutgoingReceiver) -> Option<End> {
        let shutdown = self.frames.shutdown();
        let begun = shutdown.begun();
        tokio::pin!(begun);
        loop {
            let next = tokio::select! {
                () = &mut begun => return Some((GOING_AWAY, "the server is shutting down")),
                message = outgoing.recv() => Next::Send(message),
                event = self.frames.event() => Next::Came(event),
                found = found(&mut self.guest) => Next::Found(found),
            };
            // In a box, since a session that hears nothing is to have no room for it.
            if let Err(end) = Box::pin(self.turn(next)).await {
                return end;
            }
        }
    }

    /// Does that. How the session ends by it, if it does.
    async fn turn(&mut self, next: Next) -> Result<(), Option<End>> {
        match next {
            Next::Send(Some(Outgoing::Signal(signal))) => self.send_signal(&signal).await.ok_or(None),
            Next::Send(Some(Outgoing::Close(reason))) => Err(Some((reason.code(), reason.as_token()))),
            Next::Send(None) => Err(Some((POLICY, "too slow a reader"))),
            Next::Found(found) => self.frames.send(Message::Text(encode(&found).into())).await.ok_or(None),
            Next::Came(event) => match self.frames.take(event).await? {
                Some(Payload::Text(text)) => match self.handle_text(text.as_bytes()) {
                    Some(refusal) => {
                        self.send_signal(&refusal).await.ok_or(None)?;
                        Err(Some((POLICY, "join-ticket")))
                    }
                    None => Ok(()),
                },
                Some(Payload::Binary(_)) => Err(Some((UNSUPPORTED, "signals are text"))),
                None => Ok(()),
            },
        }
    }

    /// Takes a signal in; what to say to a session that may not register.
    fn handle_text(&mut self, text: &[u8]) -> Option<TrackerToPeer> {
        match decode::<PeerToTracker>(text) {
            Ok(signal) => {
                if let PeerToTracker::Register { page, .. } = &signal
                    && let Some(pass) = self.pass.take()
                {
                    let page = self.hub.named(page.clone());
                    if let Err(refusal) = pass.check(&page) {
                        tracing::debug!(page, %refusal, "a session may not register");
                        return Some(refused(self.hub.has_page(&page), refusal));
                    }
                }
                let own = match &mut self.guest {
                    Some(guest) => guest.take(signal),
                    None => Some(signal),
                };
                if let Some(signal) = own {
                    self.hub.message(self.peer, signal);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "malformed signal");
                self.hub.malformed(self.peer, &error);
            }
        }
        None
    }

    async fn send_signal(&mut self, signal: &TrackerToPeer) -> Option<()> {
        if let (TrackerToPeer::Peers { offers }, Some(guest)) = (signal, &mut self.guest) {
            guest.handle_peers(&self.hub, self.peer, offers.len());
        }
        self.frames.send(Message::Text(encode(signal).into())).await
    }
}

/// What is said to whoever has no ticket for a page, if there is such a page.
fn refused(has_page: bool, refusal: JoinRefusal) -> TrackerToPeer {
    match has_page {
        true => TrackerToPeer::Error { code: ErrorCode::Ticket, message: refusal.to_string() },
        false => TrackerToPeer::Error { code: ErrorCode::Unknown, message: "this page does not travel between visitors".to_owned() },
    }
}

/// Peers of other servers, once some are found.
async fn found(guest: &mut Option<Box<Guest>>) -> TrackerToPeer {
    match guest {
        Some(guest) => guest.found().await,
        None => std::future::pending().await,
    }
}
