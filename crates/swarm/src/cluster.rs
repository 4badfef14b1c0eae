//! Several servers of one site, each with a tracker of its own: whose peers and visits are which, and whom to ask for somebody who has a page.
//!
//! An offer is given away by the server at which its maker's socket hangs, and by no other: so none is given twice, whoever asks. A number names its server, so that whatever is said of a
//! peer or a visit finds the way to it from any server at which it is said.

mod for_others;
mod message;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use viral_wire::{Digest, Ticket, signal::PeerNumber};

use crate::limits::{CLUSTER_ASKED_MAX, CLUSTER_HOLDINGS_MAX, CLUSTER_SERVERS_MAX, CLUSTER_SILENCE_MAX_MS, CLUSTER_VERSIONS_MAX};

pub use for_others::ForOthers;
pub use message::{Hello, Message, Numbers, Seek, Seen};

/// Bits of a peer's number below those that name its server.
const DRAWN_BITS: u32 = 37;

/// One server of a cluster, as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerNumber(pub u16);

impl ServerNumber {
    /// The server that gave a peer its number.
    #[must_use]
    pub fn of_peer(peer: PeerNumber) -> Self {
        Self(u16::try_from(peer.get() >> DRAWN_BITS).unwrap_or(u16::MAX))
    }

    /// The server that drew a ticket.
    #[must_use]
    pub fn of_ticket(Ticket([high, low, ..]): Ticket) -> Self {
        Self(u16::from_be_bytes([high, low]))
    }

    /// A peer's number of this server, made of the lower 37 of `bits`, which the caller draws at random.
    #[must_use]
    pub fn peer(self, bits: u64) -> PeerNumber {
        PeerNumber::from_bits(u64::from(self.0) << DRAWN_BITS | bits & ((1 << DRAWN_BITS) - 1))
    }

    /// A ticket of this server; 14 of its bytes stay as they were drawn.
    #[must_use]
    pub fn ticket(self, Ticket(mut bytes): Ticket) -> Ticket {
        let [high, low] = self.0.to_be_bytes();
        (bytes[0], bytes[1]) = (high, low);
        Ticket(bytes)
    }
}

/// The other servers, as they last told of themselves.
#[derive(Debug, Default)]
pub struct Roster {
    servers: BTreeMap<ServerNumber, Server>,
}

#[derive(Debug)]
struct Server {
    heard_ms: u64,
    /// Manifests that ready peers of it hold, with how many.
    holds: BTreeMap<Digest, u32>,
    /// Tags of the versions of the site that it could show.
    versions: Vec<String>,
}

impl Roster {
    /// A server tells what its ready peers hold, manifests with how many, and which versions of the site it could show, by their tags. Whether it was not known until now. More than a limit of
    /// servers are not taken in.
    pub fn handle_hello(
        &mut self,
        now_ms: u64,
        number: ServerNumber,
        holds: impl IntoIterator<Item = (Digest, u32)>,
        mut versions: Vec<String>,
    ) -> bool {
        self.handle_timeout(now_ms);
        let is_new = !self.servers.contains_key(&number);
        if is_new && self.servers.len() >= CLUSTER_SERVERS_MAX {
            return false;
        }
        let holds = holds.into_iter().take(CLUSTER_HOLDINGS_MAX).collect();
        versions.truncate(CLUSTER_VERSIONS_MAX);
        self.servers.insert(number, Server { heard_ms: now_ms, holds, versions });
        is_new
    }

    /// A server ends. Whether it was known.
    pub fn handle_bye(&mut self, number: ServerNumber) -> bool {
        self.servers.remove(&number).is_some()
    }

    /// Servers that said nothing for a while are gone: those that are.
    pub fn handle_timeout(&mut self, now_ms: u64) -> Vec<ServerNumber> {
        let is_silent = |server: &Server| now_ms.saturating_sub(server.heard_ms) > CLUSTER_SILENCE_MAX_MS;
        let gone: Vec<ServerNumber> = self.servers.iter().filter(|(_, server)| is_silent(server)).map(|(number, _)| *number).collect();
        for number in &gone {
            self.servers.remove(number);
        }
        gone
    }

    /// Nobody can be asked any more.
    pub fn clear(&mut self) {
        self.servers.clear();
    }

    /// Whom to ask for peers that hold this manifest: those with most of them, most first. A few are enough, and each is asked in vain at most until it tells of itself again.
    #[must_use]
    pub fn whom_to_ask(&self, now_ms: u64, manifest: &Digest) -> Vec<ServerNumber> {
        let is_here = |server: &Server| now_ms.saturating_sub(server.heard_ms) <= CLUSTER_SILENCE_MAX_MS;
        let holder =
            |(number, server): (&ServerNumber, &Server)| Some((*server.holds.get(manifest)?, *number)).filter(|(count, _)| *count > 0);
        let mut holders: Vec<(u32, ServerNumber)> = self.servers.iter().filter(|(_, server)| is_here(server)).filter_map(holder).collect();
        holders.sort_unstable_by_key(|(count, number)| (std::cmp::Reverse(*count), *number));
        holders.into_iter().take(CLUSTER_ASKED_MAX).map(|(_, number)| number).collect()
    }

    /// The version of the site that all servers can show: of this server's own, by their tags and newest first, the newest that every other one has as well. None where there is no such: then each
    /// shows its newest.
    #[must_use]
    pub fn agreed<'v>(&self, own: &'v [String]) -> Option<&'v str> {
        let have_all = |tag: &&String| self.servers.values().all(|server| server.versions.contains(tag));
        own.iter().find(have_all).map(String::as_str)
    }

    /// Whether a server is there.
    #[must_use]
    pub fn knows(&self, number: ServerNumber) -> bool {
        self.servers.contains_key(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    #[test]
    fn a_number_names_its_server() {
        for number in [0, 1, 0xabcd, u16::MAX] {
            let server = ServerNumber(number);
            assert_eq!(ServerNumber::of_peer(server.peer(u64::MAX)), server);
            assert_eq!(ServerNumber::of_peer(server.peer(0)), server);
            let ticket = server.ticket(Ticket([7; 16]));
            assert_eq!((ServerNumber::of_ticket(ticket), &ticket.0[2..]), (server, &[7; 14][..]));
        }
        assert_ne!(ServerNumber(1).peer(1), ServerNumber(1).peer(2));
    }

    #[test]
    fn those_are_asked_who_hold_it_and_most_first() {
        let mut roster = Roster::default();
        let app = digest("app");
        for (number, count) in [(1, 0), (2, 3), (3, 9), (4, 1), (5, 2)] {
            assert!(roster.handle_hello(0, ServerNumber(number), [(app, count), (digest("other"), 5)], Vec::new()));
        }
        roster.handle_hello(0, ServerNumber(6), [(digest("other"), 50)], Vec::new());
        let asked: Vec<u16> = roster.whom_to_ask(0, &app).into_iter().map(|number| number.0).collect();
        assert_eq!(asked, [3, 2, 5][..CLUSTER_ASKED_MAX.min(3)]);
        assert!(!roster.handle_hello(0, ServerNumber(3), [], Vec::new()), "it is known");
        assert_eq!(roster.whom_to_ask(0, &app)[0], ServerNumber(2));
    }

    #[test]
    fn who_is_silent_is_gone() {
        let mut roster = Roster::default();
        let app = digest("app");
        roster.handle_hello(0, ServerNumber(1), [(app, 1)], Vec::new());
        roster.handle_hello(1_000, ServerNumber(2), [(app, 1)], Vec::new());
        assert_eq!(roster.whom_to_ask(CLUSTER_SILENCE_MAX_MS + 1, &app), [ServerNumber(2)]);
        assert_eq!(roster.handle_timeout(CLUSTER_SILENCE_MAX_MS + 1), [ServerNumber(1)]);
        assert!(roster.handle_bye(ServerNumber(2)) && !roster.handle_bye(ServerNumber(2)));
        assert_eq!(roster.servers.len(), 0);
    }

    #[test]
    fn a_version_is_shown_once_all_have_it() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let mut roster = Roster::default();
        let own = tags(&["c", "b", "a"]);
        assert_eq!(roster.agreed(&own), Some("c"), "it is alone");
        roster.handle_hello(0, ServerNumber(1), [], tags(&["b", "a"]));
        roster.handle_hello(0, ServerNumber(2), [], tags(&["a"]));
        assert_eq!(roster.agreed(&own), Some("a"));
        roster.handle_hello(0, ServerNumber(2), [], tags(&["b", "a"]));
        assert_eq!(roster.agreed(&own), Some("b"));
        roster.handle_hello(0, ServerNumber(2), [], tags(&["z"]));
        assert_eq!(roster.agreed(&own), None, "a server that was begun with another site");
        roster.handle_bye(ServerNumber(2));
        roster.handle_hello(0, ServerNumber(1), [], tags(&["d", "c"]));
        assert_eq!(roster.agreed(&own), Some("c"));
    }

    #[test]
    fn what_servers_tell_has_a_limit() {
        let mut roster = Roster::default();
        let many = |count: usize| (0..count).map(|at| (digest(&at.to_string()), 1));
        for number in 0..=u16::try_from(CLUSTER_SERVERS_MAX).unwrap() {
            roster.handle_hello(0, ServerNumber(number), many(CLUSTER_HOLDINGS_MAX + 9), vec![String::new(); CLUSTER_VERSIONS_MAX + 1]);
        }
        assert_eq!(roster.servers.len(), CLUSTER_SERVERS_MAX);
        assert!(
            roster
                .servers
                .values()
                .all(|server| server.holds.len() == CLUSTER_HOLDINGS_MAX && server.versions.len() == CLUSTER_VERSIONS_MAX)
        );
    }
}
