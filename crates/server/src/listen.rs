//! Accepting connections, no more than the system allows.

use std::collections::VecDeque;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::connection::serve_connection;
use crate::connection_limit::{ConnectionLimit, ConnectionPermit};
use crate::limits::{ACCEPT_COMPLAINT, ACCEPT_PAUSE, CONNECTIONS_MAX};
use crate::listener::{Arrival, Listener};
use crate::shutdown::TaskTracker;
use crate::traces;

pub(crate) use crate::connection::Service;

/// File descriptors this process may have open; `None` for no limit.
pub(crate) fn descriptors() -> Option<u64> {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit
}

/// Visitors' connections among so many descriptors: a quarter is left for the site's files, watches and the operator.
pub(crate) fn connections_max(descriptors: Option<u64>) -> usize {
    let spared = descriptors.map_or(u64::MAX, |limit| limit - limit / 4);
    usize::try_from(spared).unwrap_or(usize::MAX).clamp(1, CONNECTIONS_MAX)
}

/// Sessions among so many connections: a fifth is left for pages and what they load.
pub(crate) fn sessions_max(connections: usize) -> usize {
    (connections - connections / 5).max(1)
}

/// Serves on `listener` until the shutdown begins, then until every answer in flight is sent.
pub(crate) async fn serve(listener: Listener, service: Service, limit: ConnectionLimit) {
    let connections = TaskTracker::new();
    let mut complained: Option<Instant> = None;
    let mut waiting = Waiting { freed: limit.freed(), limit, streams: VecDeque::new() };
    loop {
        let accepted = tokio::select! {
            () = service.shutdown.begun() => break,
            accepted = waiting.next(&listener) => accepted,
        };
        let (arrival, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= ACCEPT_COMPLAINT) {
                    complained = Some(Instant::now());
                    tracing::warn!(%error, "cannot accept connections; raise the limit of open files if it is that");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let hold = connections.hold();
        let span = traces::of_connection(&arrival.peer());
        let connection = serve_connection(arrival, service.clone(), permit).instrument(span);
        tokio::spawn(async move {
            connection.await;
            drop(hold);
        });
    }
    drop((listener, waiting));
    connections.all().await;
}

/// Connections that wait for a place, of the network that has most: those of others are given one.
struct Waiting {
    limit: ConnectionLimit,
    freed: watch::Receiver<()>,
    streams: VecDeque<Arrival>,
}

impl Waiting {
    /// The next connection that has a place.
    async fn next(&mut self, listener: &Listener) -> std::io::Result<(Arrival, ConnectionPermit)> {
        loop {
            // Before they are tried, so that nothing is missed.
            if !self.streams.is_empty() {
                self.limit.note_waiting();
            }
            let found = self.streams.iter().enumerate().find_map(|(at, arrival)| Some((at, self.limit.take(arrival.peer().address())?)));
            if let Some((at, permit)) = found
                && let Some(arrival) = self.streams.remove(at)
            {
                return Ok((arrival, permit));
            }
            // A connection that must end has its descriptor until it did.
            let has_room = self.limit.ending() < self.limit.spare();
            let arrival = tokio::select! {
                accepted = listener.accept(), if has_room => accepted?,
                // The permits are ours, so it never closes.
                _ = self.freed.changed() => continue,
            };
            if let Some(permit) = self.limit.take(arrival.peer().address()) {
                return Ok((arrival, permit));
            }
            if self.streams.len() < self.limit.spare() {
                self.streams.push_back(arrival);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections_max(Some(80)), 60);
        assert_eq!(connections_max(Some(1024)), 768);
        assert_eq!(connections_max(Some(0)), 1);
        assert_eq!(connections_max(Some(u64::MAX)), CONNECTIONS_MAX);
        assert_eq!(connections_max(None), CONNECTIONS_MAX);
    }
}
