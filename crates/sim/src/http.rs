//! One visitor's connections to the origin.

use std::collections::BTreeSet;

use crate::carrier::{ConnId, Kind, Side};
use crate::clock::{MS, Nanos};
use crate::context::Context;
use crate::message::{Payload, Request, request_len};

/// A connection that nobody uses is closed after this. `POOL_IDLE` of the native peer.
pub const POOL_IDLE: Nanos = 5_000 * MS;

/// Connections that are kept for the next request, and those in use.
#[derive(Debug, Default)]
pub struct Http {
    idle: Vec<(ConnId, Nanos)>,
    busy: BTreeSet<ConnId>,
}

impl Http {
    /// Asks the origin, on a connection that is free or on a new one.
    pub fn request(&mut self, context: &mut Context<'_>, endpoint: usize, request: Request) -> ConnId {
        let (now, len) = (context.now, request_len(&request));
        let free = std::iter::from_fn(|| self.idle.pop()).find(|(conn, since)| {
            let is_fresh = now < since + POOL_IDLE;
            if !is_fresh {
                context.net.close(now, *conn, Side::A, true);
            }
            is_fresh
        });
        let conn = free.map_or_else(|| context.net.open(now, Kind::Tcp, endpoint, 0), |(conn, _)| conn);
        self.busy.insert(conn);
        context.net.send(now, conn, Side::A, len, Payload::Request(request));
        conn
    }

    /// An answer is over.
    pub fn handle_done(&mut self, now: Nanos, conn: ConnId) {
        if self.busy.remove(&conn) {
            self.idle.push((conn, now));
        }
    }

    /// Requests that were not answered.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.busy.len()
    }

    /// Closes everything.
    pub fn close(&mut self, context: &mut Context<'_>) {
        let busy = std::mem::take(&mut self.busy);
        for conn in std::mem::take(&mut self.idle).into_iter().map(|(conn, _)| conn).chain(busy) {
            context.net.close(context.now, conn, Side::A, true);
        }
    }
}
