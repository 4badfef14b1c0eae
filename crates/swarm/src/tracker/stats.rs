//! Counters of the tracker, as the statistics page shows them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use viral_wire::signal::Fault;

use super::{leecher::Leecher, session::Session, visit::Visits};
use crate::{limits::LEECHER_AGE_MAX_MS, locality::Tier};

/// How the swarm is now, and what happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TrackerStats {
    /// Registered sessions that hold something to give and have left offers, so that the next visitor can be introduced to them.
    pub seeders: usize,
    /// Visits that lack something: thin ones, with or without a session.
    pub leechers: usize,
    /// Open sessions, registered or not.
    pub sessions: usize,
    /// Remembered thin visits.
    pub tickets: usize,
    /// Seeders that could serve one more leecher now.
    pub ready: usize,
    /// Peers dropped for forged pieces.
    pub bans: u64,
    /// Introductions.
    pub matches: Matches,
    /// Offers given to leechers, by how near the two are.
    pub matches_by_tier: MatchesByTier,
    /// Why answered offers did not become connections, by what one end says: `no_candidate`, `no_path`, `no_channel`, `unsaid`; or `silent`, where neither said anything.
    pub connect_failures: BTreeMap<&'static str, u64>,
    /// What visitors report about themselves.
    pub reported: Reported,
    /// Fault reports by fault, only those about peers whom the reporter met.
    pub faults: BTreeMap<Fault, u64>,
    /// What was refused at a limit.
    pub refused: Refused,
}

/// What became of introductions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Matches {
    /// Offers given to leechers.
    pub offered: u64,
    /// Answers relayed.
    pub answered: u64,
    /// Connections that opened.
    pub opened: u64,
    /// Answers whose connection ended or timed out before it opened.
    pub failed: u64,
}

/// Introductions by tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchesByTier([u64; Tier::ALL.len()]);

impl MatchesByTier {
    /// How many there were on a tier.
    #[must_use]
    pub const fn on(&self, tier: Tier) -> u64 {
        self.0[tier as usize]
    }

    pub(super) fn note(&mut self, tier: Tier) {
        self.0[tier as usize] += 1;
    }
}

impl Serialize for MatchesByTier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Tier::ALL.map(|tier| (tier.name(), self.on(tier))))
    }
}

/// Bytes as visitors report them; nobody checks these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// Verified bytes taken from peers.
    pub from_peers: u64,
    /// Verified bytes taken from the origin.
    pub from_origin: u64,
    /// Bytes sent to peers.
    pub to_peers: u64,
    /// Pieces that matched their digest.
    pub pieces_verified: u64,
}

/// How often a limit was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Sessions beyond the maximum.
    pub sessions: u64,
    /// Thin visits beyond the maximum.
    pub tickets: u64,
    /// Messages answered with an error.
    pub messages: u64,
    /// Sessions closed because they sent too much.
    pub floods: u64,
    /// Messages to peers that the host did not fetch in time.
    pub outputs: u64,
}

/// What costs the same to tell in a swarm of any size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackerCounts {
    /// Open sessions, registered or not.
    pub sessions: usize,
    /// Remembered thin visits.
    pub tickets: usize,
    /// Peers to whom one more leecher could be introduced now, those of a crowd that hold nothing yet among them.
    pub ready: usize,
    /// What only grows.
    pub totals: Totals,
}

/// Counters that only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Peers dropped for forged pieces.
    pub bans: u64,
    /// Introductions.
    pub matches: Matches,
    /// Offers given to leechers, by how near the two are.
    pub matches_by_tier: MatchesByTier,
    /// What visitors report about themselves.
    pub reported: Reported,
    /// Fault reports by fault, only those about peers whom the reporter met.
    pub faults: BTreeMap<Fault, u64>,
    /// Why answered offers did not become connections; see [`TrackerStats::connect_failures`].
    pub connect_failures: BTreeMap<&'static str, u64>,
    /// What was refused at a limit.
    pub refused: Refused,
}

impl TrackerStats {
    /// How the swarm is at `now_ms`.
    pub(super) fn of<'a>(now_ms: u64, sessions: impl Iterator<Item = &'a Session> + Clone, visits: &Visits, totals: &Totals) -> Self {
        let registered = sessions.clone().filter(|session| session.page.is_some());
        let (mut seeders, mut leechers, mut ready) = (0, 0, 0);
        for session in registered {
            let held = session.held.filter(|held| held.bytes > 0);
            let is_seeder = session.is_reachable() && held.is_some_and(|held| held.complete || !session.thin);
            ready += usize::from(held.is_some() && session.is_ready());
            seeders += usize::from(is_seeder);
            leechers += usize::from(!is_seeder && session.thin);
        }
        let is_leeching = |leecher: &Leecher| leecher.ordinal.is_some();
        let thin = visits.values().filter(|visit| {
            visit.beacons == 0
                && now_ms.saturating_sub(visit.touched_ms) < LEECHER_AGE_MAX_MS
                && visit.leecher.as_ref().is_some_and(is_leeching)
        });
        Self {
            seeders,
            leechers: leechers + thin.count(),
            sessions: sessions.count(),
            tickets: visits.len(),
            ready,
            bans: totals.bans,
            matches: totals.matches,
            matches_by_tier: totals.matches_by_tier,
            connect_failures: totals.connect_failures.clone(),
            reported: totals.reported,
            faults: totals.faults.clone(),
            refused: totals.refused,
        }
    }
}
