//! One WebSocket of a peer: signals in, signals out, pings, and a goodbye with a reason.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::Instrument as _;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{PeerNumber, PeerToTracker, TrackerToPeer, decode, encode};

use crate::cluster::Guest;
use crate::frames::{End, Frames, GOING_AWAY, POLICY, TOO_BIG, UNSUPPORTED};
use crate::hub::{Hub, Outgoing};
use crate::limits::{IDLE_TIMEOUT, PING_INTERVAL};
use crate::shutdown::{Shutdown, TaskGuard};
use crate::stats::Stats;

/// What a session needs besides its socket.
pub(crate) struct Context {
    /// The tracker.
    pub(crate) hub: Arc<Hub>,
    /// Counts what is sent, where the stream does not.
    pub(crate) stats: Option<Arc<Stats>>,
    /// Says when the server ends.
    pub(crate) shutdown: Shutdown,
    /// Dropped when the session has said goodbye.
    pub(crate) _task: TaskGuard,
}

/// Runs a session until either side ends it. The tracker always hears that the peer left.
pub(crate) async fn run(socket: WebSocket, (client, guest): (ClientAddr, Option<Guest>), context: Context) {
    let hub = Arc::clone(&context.hub);
    let (peer, outgoing) = hub.join(client);
    let mut session = Session { frames: Frames::new(socket, context.stats.clone()), peer, context, guest };
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
    context: Context,
    /// What the session is to other servers.
    guest: Option<Guest>,
}

impl Session {
    /// Passes signals both ways. `None` when the other side is gone already.
    async fn exchange(&mut self, mut outgoing: mpsc::Receiver<Outgoing>) -> Option<End> {
        let shutdown = self.context.shutdown.clone();
        let begun = shutdown.begun();
        tokio::pin!(begun);
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.tick().await;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = &mut begun => return Some((GOING_AWAY, "the server is shutting down")),
                message = outgoing.recv() => match message {
                    Some(Outgoing::Signal(signal)) => self.send_signal(&signal).await?,
                    Some(Outgoing::Close(reason)) => return Some((reason.code(), reason.as_token())),
                    None => return Some((POLICY, "too slow a reader")),
                },
                message = self.frames.recv() => {
                    heard = Instant::now();
                    match message? {
                        Ok(Message::Text(text)) => self.handle_text(text.as_bytes()),
                        Ok(Message::Binary(_)) => return Some((UNSUPPORTED, "signals are text")),
                        // The reply is made already, and leaves while we read on to the end.
                        Ok(Message::Close(_)) => {
                            self.frames.read_to_end().await;
                            return None;
                        }
                        Ok(Message::Ping(_) | Message::Pong(_)) => {
                            if !self.frames.may_ping(heard) {
                                return Some((POLICY, "too many pings"));
                            }
                        }
                        Err(_) => return Some((TOO_BIG, "message malformed or too long")),
                    }
                },
                found = found(&mut self.guest) => self.frames.send(Message::Text(encode(&found).into())).await?,
                _ = ping.tick() => {
                    if heard.elapsed() > IDLE_TIMEOUT {
                        return Some((GOING_AWAY, "no sign of life"));
                    }
                    self.frames.send(Message::Ping(Default::default())).await?;
                }
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
                    self.context.hub.message(self.peer, signal);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "malformed signal");
                self.context.hub.malformed(self.peer, &error);
            }
        }
    }

    async fn send_signal(&mut self, signal: &TrackerToPeer) -> Option<()> {
        if let (TrackerToPeer::Peers { offers }, Some(guest)) = (signal, &mut self.guest) {
            guest.handle_peers(&self.context.hub, self.peer, offers.len());
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
