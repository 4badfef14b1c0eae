//! One visitor's session with the tracker: as `tracker_client` of the native peer.

use viral_wire::signal::PeerToTracker;

use crate::carrier::{ConnId, Kind, Side};
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::http::POOL_IDLE;
use crate::message::{Payload, Request, request_len, signal_len};

/// First wait before the tracker is dialled again, and the longest, in milliseconds. `BACKOFF_FIRST_MS` and `BACKOFF_MAX_MS` of the native peer.
const BACKOFF_FIRST_MS: u64 = 500;
const BACKOFF_MAX_MS: u64 = 30_000;

/// The session.
#[derive(Debug, Default)]
pub struct Socket {
    conn: Option<ConnId>,
    /// The server took the upgrade.
    is_up: bool,
    /// The tracker was heard of since.
    is_live: bool,
    /// Opened ahead, and when.
    ahead: Option<(ConnId, Nanos)>,
    attempt: u32,
    /// What the next session begins with.
    pub register: Vec<PeerToTracker>,
}

impl Socket {
    /// Opens a connection together with the visit.
    pub fn open_ahead(&mut self, context: &mut Context<'_>, endpoint: usize) {
        self.ahead = Some((context.net.open(context.now, Kind::Tcp, endpoint, 0), context.now));
    }

    /// Begins a session.
    pub fn connect(&mut self, context: &mut Context<'_>, endpoint: usize) {
        let now = context.now;
        let ahead = self.ahead.take().filter(|(conn, since)| {
            let is_fresh = now < since + POOL_IDLE;
            if !is_fresh {
                context.net.close(now, *conn, Side::A, true);
            }
            is_fresh
        });
        let conn = ahead.map_or_else(|| context.net.open(now, Kind::Tcp, endpoint, 0), |(conn, _)| conn);
        self.conn = Some(conn);
        context.net.send(now, conn, Side::A, request_len(&Request::Upgrade), Payload::Request(Request::Upgrade));
    }

    /// Whether this is its connection.
    #[must_use]
    pub fn is(&self, conn: ConnId) -> bool {
        self.conn == Some(conn)
    }

    /// The server took the upgrade: what the session begins with leaves.
    pub fn handle_up(&mut self, context: &mut Context<'_>) {
        self.is_up = true;
        for signal in self.register.clone() {
            self.put(context, signal);
        }
    }

    /// The tracker was heard of.
    pub fn handle_heard(&mut self) {
        self.is_live = true;
        self.attempt = 0;
    }

    /// The session is over: it is tried again after a wait.
    pub fn handle_lost(&mut self, context: &mut Context<'_>, visitor: usize) {
        if let Some(conn) = self.conn.take() {
            context.net.close(context.now, conn, Side::A, true);
        }
        (self.is_up, self.is_live) = (false, false);
        let base = BACKOFF_MAX_MS.min(BACKOFF_FIRST_MS << self.attempt.min(16));
        self.attempt += 1;
        let wait = (base as f64 * (0.5 + context.random.unit())) as Nanos * MS;
        context.timeline.push(context.now + wait, Event::Reconnect(visitor));
    }

    /// Whether there is a session, or one is tried.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.conn.is_some()
    }

    /// Sends a signal; false if there is no session.
    pub fn send(&self, context: &mut Context<'_>, signal: PeerToTracker) -> bool {
        if self.is_live {
            self.put(context, signal);
        }
        self.is_live
    }

    fn put(&self, context: &mut Context<'_>, signal: PeerToTracker) {
        if let Some(conn) = self.conn.filter(|_| self.is_up) {
            let len = signal_len(&signal);
            context.net.send(context.now, conn, Side::A, len, Payload::Signal(Box::new(signal)));
        }
    }

    /// Ends the session for good.
    pub fn close(&mut self, context: &mut Context<'_>) {
        if let Some(conn) = self.conn.take() {
            context.net.send(context.now, conn, Side::A, 8, Payload::SocketClosed);
            context.net.close(context.now, conn, Side::A, true);
        }
        if let Some((conn, _)) = self.ahead.take() {
            context.net.close(context.now, conn, Side::A, true);
        }
        (self.is_up, self.is_live) = (false, false);
    }
}
