//! Whether visitors reach anybody of those whom they are introduced to, by the network that they come from: where nobody does, something there is in the way.
//!
//! A network is an IPv4 /16 or an IPv6 /32: what one firewall stands in front of, and more than one household.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde::Serialize;

use crate::{
    limits::{REACHED_NETWORKS_MAX, REACHED_WINDOW_MS},
    locality,
};

/// How far one visitor got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing is known of its connections.
    #[default]
    Unknown,
    /// A connection failed first because of this, and none opened.
    Failed(Obstacle),
    /// A connection opened.
    Reached,
}

/// Why a first connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The browser tells no address of its own.
    NoCandidate,
    /// No packet came through.
    NoPath,
    /// Anything else, or nobody said.
    Other,
}

/// A network, by its first address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(locality::masked(address, 16, 32))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) if v4.is_loopback() => f.write_str("this machine"),
            IpAddr::V4(v4) => write!(f, "{v4}/16"),
            IpAddr::V6(v6) => write!(f, "{v6}/32"),
        }
    }
}

/// Visitors of one network, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReachCounts {
    /// Those of whose connections something is known.
    pub visitors: u64,
    /// Of these, those who reached nobody, by what failed first: [`Obstacle`] in the order of declaration.
    pub unreached: [u64; 3],
}

impl ReachCounts {
    /// Those who reached nobody.
    #[must_use]
    pub fn unreached(&self) -> u64 {
        self.unreached.iter().sum()
    }

    /// Their share, in percent.
    #[must_use]
    pub fn unreached_percent(&self) -> u64 {
        100 * self.unreached() / self.visitors.max(1)
    }

    fn plus(self, other: Self) -> Self {
        let [a, b, c] = self.unreached;
        let [x, y, z] = other.unreached;
        Self { visitors: self.visitors + other.visitors, unreached: [a + x, b + y, c + z] }
    }
}

/// All networks, for half an hour to an hour.
#[derive(Debug, Default)]
pub struct Reached {
    networks: BTreeMap<Network, Windows>,
    by_age: BTreeSet<(u64, Network)>,
    all: Windows,
}

/// The window of now and the one before it.
#[derive(Debug, Default)]
struct Windows {
    began_ms: u64,
    now: ReachCounts,
    before: ReachCounts,
}

impl Windows {
    fn at(&mut self, now_ms: u64) -> &mut ReachCounts {
        let age_ms = now_ms.saturating_sub(self.began_ms);
        if age_ms >= REACHED_WINDOW_MS {
            self.before = if age_ms < 2 * REACHED_WINDOW_MS { self.now } else { ReachCounts::default() };
            self.now = ReachCounts::default();
            self.began_ms = now_ms - age_ms % REACHED_WINDOW_MS;
        }
        &mut self.now
    }

    fn sum(&self, now_ms: u64) -> ReachCounts {
        match now_ms.saturating_sub(self.began_ms) {
            age_ms if age_ms < REACHED_WINDOW_MS => self.now.plus(self.before),
            age_ms if age_ms < 2 * REACHED_WINDOW_MS => self.now,
            _ => ReachCounts::default(),
        }
    }
}

impl Reached {
    /// A visitor at this address opened a connection; returns how far it is now.
    pub fn handle_opened(&mut self, now_ms: u64, address: IpAddr, before: Meeting) -> Meeting {
        match before {
            Meeting::Reached => {}
            Meeting::Failed(first) => self.with(now_ms, address, |counts| {
                // It may have been counted in a window that is over.
                let unreached = &mut counts.unreached[first as usize];
                if *unreached > 0 {
                    *unreached -= 1;
                } else {
                    counts.visitors += 1;
                }
            }),
            Meeting::Unknown => self.with(now_ms, address, |counts| counts.visitors += 1),
        }
        Meeting::Reached
    }

    /// A connection of a visitor at this address failed; returns how far it is now.
    pub fn handle_failed(&mut self, now_ms: u64, address: IpAddr, before: Meeting, obstacle: Obstacle) -> Meeting {
        if before != Meeting::Unknown {
            return before;
        }
        self.with(now_ms, address, |counts| {
            counts.visitors += 1;
            counts.unreached[obstacle as usize] += 1;
        });
        Meeting::Failed(obstacle)
    }

    /// Visitors of all networks.
    #[must_use]
    pub fn all(&self, now_ms: u64) -> ReachCounts {
        self.all.sum(now_ms)
    }

    /// Networks by how many of their visitors reached nobody, most first.
    #[must_use]
    pub fn worst(&self, now_ms: u64, count_max: usize) -> Vec<(Network, ReachCounts)> {
        let counts = self.networks.iter().map(|(network, windows)| (*network, windows.sum(now_ms)));
        let mut found: Vec<_> = counts.filter(|(_, counts)| counts.unreached() > 0).collect();
        found.sort_by_key(|(network, counts)| (std::cmp::Reverse(counts.unreached()), *network));
        found.truncate(count_max);
        found
    }

    fn with(&mut self, now_ms: u64, address: IpAddr, count: impl Fn(&mut ReachCounts)) {
        count(self.all.at(now_ms));
        let network = Network::of(address);
        if !self.networks.contains_key(&network)
            && self.networks.len() >= REACHED_NETWORKS_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.networks.remove(&oldest);
        }
        let windows = self.networks.entry(network).or_insert_with(|| Windows { began_ms: now_ms, ..Windows::default() });
        self.by_age.remove(&(windows.began_ms, network));
        count(windows.at(now_ms));
        self.by_age.insert((windows.began_ms, network));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(third: u8, last: u8) -> IpAddr {
        [10, 2, third, last].into()
    }

    #[test]
    fn a_visitor_counts_once_and_as_reached_as_soon_as_one_connection_opens() {
        let mut reached = Reached::default();
        let mut state = Meeting::Unknown;
        for _ in 0..3 {
            state = reached.handle_failed(5, at(1, 1), state, Obstacle::NoPath);
        }
        assert_eq!((state, reached.all(5)), (Meeting::Failed(Obstacle::NoPath), ReachCounts { visitors: 1, unreached: [0, 1, 0] }));
        state = reached.handle_opened(6, at(1, 1), state);
        state = reached.handle_opened(6, at(1, 1), state);
        assert_eq!(reached.handle_failed(7, at(1, 1), state, Obstacle::NoPath), Meeting::Reached);
        assert_eq!((reached.all(7), reached.worst(7, 9)), (ReachCounts { visitors: 1, unreached: [0; 3] }, vec![]));
    }

    #[test]
    fn networks_are_told_apart_and_what_is_old_is_forgotten() {
        let mut reached = Reached::default();
        for last in 0..4 {
            reached.handle_failed(0, at(last, 1), Meeting::Unknown, Obstacle::NoPath);
            reached.handle_opened(0, [192, 0, 2, last].into(), Meeting::Unknown);
        }
        reached.handle_failed(0, "2001:db8:1::1".parse().unwrap(), Meeting::Unknown, Obstacle::NoCandidate);
        let worst: Vec<_> = reached.worst(1, 9).into_iter().map(|(network, counts)| (network.to_string(), counts.unreached())).collect();
        assert_eq!(worst, [("10.2.0.0/16".to_owned(), 4), ("2001:db8::/32".to_owned(), 1)]);
        assert_eq!((reached.all(1).visitors, reached.all(1).unreached_percent()), (9, 55));
        assert_eq!(reached.worst(REACHED_WINDOW_MS, 1)[0].1.unreached(), 4, "the window before counts");
        reached.handle_opened(REACHED_WINDOW_MS, at(0, 9), Meeting::Unknown);
        assert_eq!(reached.worst(REACHED_WINDOW_MS, 1)[0].1, ReachCounts { visitors: 5, unreached: [0, 4, 0] });
        assert_eq!(reached.all(3 * REACHED_WINDOW_MS), ReachCounts::default());
        assert_eq!(reached.worst(3 * REACHED_WINDOW_MS, 9), []);
    }

    #[test]
    fn whoever_failed_in_a_window_that_is_over_is_one_visitor_more() {
        let mut reached = Reached::default();
        let state = reached.handle_failed(0, at(1, 1), Meeting::Unknown, Obstacle::Other);
        reached.handle_opened(REACHED_WINDOW_MS + 1, at(1, 1), state);
        assert_eq!(reached.all(REACHED_WINDOW_MS + 1), ReachCounts { visitors: 2, unreached: [0, 0, 1] });
    }

    #[test]
    fn networks_have_a_limit() {
        let mut reached = Reached::default();
        for number in 0..REACHED_NETWORKS_MAX + 10 {
            let [.., high, low] = number.to_be_bytes();
            reached.handle_failed(number as u64, [10 + high, low, 0, 1].into(), Meeting::Unknown, Obstacle::NoPath);
        }
        assert_eq!((reached.networks.len(), reached.by_age.len()), (REACHED_NETWORKS_MAX, REACHED_NETWORKS_MAX));
        assert!(!reached.networks.contains_key(&Network::of([10, 0, 0, 1].into())));
    }
}
