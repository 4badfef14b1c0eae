//! One WebSocket of a peer: signals in, signals out, pings, and a goodbye with a reason.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::Instrument as _;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{PeerNumber, PeerToTracker, TrackerToPeer, decode, encode};

use crate::allowance::Allowance;
use crate::cluster::Guest;
use crate::hub::{Hub, Outgoing};
use crate::limits::{CLOSE_WAIT, IDLE_TIMEOUT, PING_INTERVAL, SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S, WRITE_TIMEOUT};
use crate::shutdown::{Shutdown, TaskGuard};
use crate::stats::{Cause, Stats};

/// Close codes (RFC 6455 section 7.4.1).
const GOING_AWAY: u16 = 1001;
const UNSUPPORTED: u16 = 1003;
const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;

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

/// Why the loop ends; the code and reason of the close frame.
type End = (u16, &'static str);

/// Runs a session until either side ends it. The tracker always hears that the peer left.
pub(crate) async fn run(socket: WebSocket, (client, guest): (ClientAddr, Option<Guest>), context: Context) {
    let hub = Arc::clone(&context.hub);
    let (peer, outgoing) = hub.join(client);
    let control = Allowance::new(SOCKET_CONTROL_BURST_MAX, SOCKET_CONTROL_PER_S);
    let mut session = Session { socket, peer, context, control, guest };
    let lived = async {
        let end = session.exchange(outgoing).await;
        hub.leave(peer);
        if let Some((code, reason)) = end {
            tracing::debug!(code, reason, "session closed");
            session.close(code, reason).await;
        }
    };
    lived.instrument(tracing::debug_span!("session", %peer)).await;
}

struct Session {
    socket: WebSocket,
    peer: PeerNumber,
    context: Context,
    /// Pings and pongs that the client may still send.
    control: Allowance,
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
                message = self.socket.recv() => {
                    heard = Instant::now();
                    match message? {
                        Ok(Message::Text(text)) => self.handle_text(text.as_bytes()),
                        Ok(Message::Binary(_)) => return Some((UNSUPPORTED, "signals are text")),
                        // The reply is made already, and leaves while we read on to the end.
                        Ok(Message::Close(_)) => {
                            self.read_to_end().await;
                            return None;
                        }
                        // Each ping is answered already, as far as there is room for it.
                        Ok(Message::Ping(_) | Message::Pong(_)) => {
                            if !self.control.take(heard, 1) {
                                return Some((POLICY, "too many pings"));
                            }
                        }
                        Err(_) => return Some((TOO_BIG, "message malformed or too long")),
                    }
                },
                found = found(&mut self.guest) => self.send(Message::Text(encode(&found).into())).await?,
                _ = ping.tick() => {
                    if heard.elapsed() > IDLE_TIMEOUT {
                        return Some((GOING_AWAY, "no sign of life"));
                    }
                    self.send(Message::Ping(Default::default())).await?;
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
        self.send(Message::Text(encode(signal).into())).await
    }

    /// Sends and counts; `None` when the other side does not take it.
    async fn send(&mut self, message: Message) -> Option<()> {
        let len = frame_len(&message);
        timeout(WRITE_TIMEOUT, self.socket.send(message)).await.ok()?.ok()?;
        if let Some(stats) = &self.context.stats {
            stats.add_sent(Cause::Signalling, len);
        }
        Some(())
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
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

/// Peers of other servers, once some are found.
async fn found(guest: &mut Option<Guest>) -> TrackerToPeer {
    match guest {
        Some(guest) => guest.found().await,
        None => std::future::pending().await,
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
