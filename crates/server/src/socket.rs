//! One WebSocket of a peer: signals in, signals out, pings, and a goodbye with a reason.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::mpsc;
use tracing::Instrument as _;
use viral_swarm::join::JoinRefusal;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{ErrorCode, PeerNumber, PeerToTracker, TrackerToPeer, decode, encode};

use crate::cluster::Guest;
use crate::frames::{End, Frames, GOING_AWAY, Hosted, POLICY, Payload, UNSUPPORTED};
use crate::hub::{Hub, Outgoing};
use crate::joins::JoinPass;

/// Runs a session until either side ends it. The tracker always hears that the peer left.
pub(crate) async fn run(socket: WebSocket, hub: Arc<Hub>, (client, guest, pass): (ClientAddr, Option<Guest>, JoinPass), hosted: Hosted) {
    let (peer, outgoing) = hub.join(client);
    let mut session = Session { frames: Frames::new(socket, hosted), peer, hub: Arc::clone(&hub), guest, pass: Some(Box::new(pass)) };
    let lived = async {
        let end = session.exchange(outgoing).await;
        hub.leave(peer);
        if let Some((code, reason)) = end {
            tracing::debug!(code, reason, "session closed");
            session.frames.close((code, reason)).await;
        }
    };
    lived.instrument(tracing::debug_span!("session", %peer)).await;
}

struct Session {
    frames: Frames,
    peer: PeerNumber,
    hub: Arc<Hub>,
    /// What the session is to other servers.
    guest: Option<Guest>,
    /// Until it registered.
    pass: Option<Box<JoinPass>>,
}

impl Session {
    /// Passes signals both ways. `None` when the other side is gone already.
    async fn exchange(&mut self, mut outgoing: mpsc::Receiver<Outgoing>) -> Option<End> {
        let shutdown = self.frames.shutdown();
        let begun = shutdown.begun();
        tokio::pin!(begun);
        loop {
            tokio::select! {
                () = &mut begun => return Some((GOING_AWAY, "the server is shutting down")),
                message = outgoing.recv() => match message {
                    Some(Outgoing::Signal(signal)) => self.send_signal(&signal).await?,
                    Some(Outgoing::Close(reason)) => return Some((reason.code(), reason.as_token())),
                    None => return Some((POLICY, "too slow a reader")),
                },
                event = self.frames.event() => match self.frames.take(event).await {
                    Ok(Some(Payload::Text(text))) => {
                        if let Some(refusal) = self.handle_text(text.as_bytes()) {
                            self.send_signal(&refusal).await?;
                            return Some((POLICY, "join-ticket"));
                        }
                    }
                    Ok(Some(Payload::Binary(_))) => return Some((UNSUPPORTED, "signals are text")),
                    Ok(None) => {}
                    Err(end) => return end,
                },
                found = found(&mut self.guest) => self.frames.send(Message::Text(encode(&found).into())).await?,
            }
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
async fn found(guest: &mut Option<Guest>) -> TrackerToPeer {
    match guest {
        Some(guest) => guest.found().await,
        None => std::future::pending().await,
    }
}
