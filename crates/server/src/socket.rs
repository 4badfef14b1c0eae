//! One WebSocket of a peer: signals in, signals out, pings, and a goodbye with a reason.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::mpsc;
use tracing::Instrument as _;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{PeerNumber, PeerToTracker, TrackerToPeer, decode, encode};

use crate::cluster::Guest;
use crate::frames::{End, Frames, GOING_AWAY, Hosted, POLICY, Payload, UNSUPPORTED};
use crate::hub::{Hub, Outgoing};

/// Runs a session until either side ends it. The tracker always hears that the peer left.
pub(crate) async fn run(socket: WebSocket, hub: Arc<Hub>, (client, guest): (ClientAddr, Option<Guest>), hosted: Hosted) {
    let (peer, outgoing) = hub.join(client);
    let mut session = Session { frames: Frames::new(socket, hosted), peer, hub: Arc::clone(&hub), guest };
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
                    Ok(Some(Payload::Text(text))) => self.handle_text(text.as_bytes()),
                    Ok(Some(Payload::Binary(_))) => return Some((UNSUPPORTED, "signals are text")),
                    Ok(None) => {}
                    Err(end) => return end,
                },
                found = found(&mut self.guest) => self.frames.send(Message::Text(encode(&found).into())).await?,
            }
        }
    }

    fn handle_text(&mut self, text: &[u8]) {
        match decode::<PeerToTracker>(text) {
            Ok(signal) => {
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
    }

    async fn send_signal(&mut self, signal: &TrackerToPeer) -> Option<()> {
        if let (TrackerToPeer::Peers { offers }, Some(guest)) = (signal, &mut self.guest) {
            guest.handle_peers(&self.hub, self.peer, offers.len());
        }
        self.frames.send(Message::Text(encode(signal).into())).await
    }
}

/// Peers of other servers, once some are found.
async fn found(guest: &mut Option<Guest>) -> TrackerToPeer {
    match guest {
        Some(guest) => guest.found().await,
        None => std::future::pending().await,
    }
}
