//! The votes of some reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use super::types::{ReportKind, StaticReference, Vote};
use crate::limits::{PAGE_SET_LONE_NETWORKS_MAX, THIN_VOTERS_MIN};

/// One vote. Divisible by every number up to 16, so that the reports of a network share it without a rest.
const VOTE: u64 = 720_720;

/// What the reports say of each path.
#[derive(Debug, Default)]
pub(super) struct Tally<'r> {
    paths: BTreeMap<&'r str, Named>,
    /// Reports of each network that were made in this epoch or later, for each epoch in which some path was named first.
    voters: BTreeMap<u64, BTreeMap<IpAddr, u64>>,
}

/// How a path was named.
#[derive(Debug)]
struct Named {
    /// First epoch in which anybody named it: earlier reports say nothing about it.
    since: u64,
    /// Where the page itself refers to it.
    static_place: Option<usize>,
    /// Where it stood in the reports.
    places: Vec<usize>,
    /// How many reports of each network name it.
    by_network: BTreeMap<IpAddr, u64>,
    /// Whether a report names it that stands for bytes the server sent.
    proven: bool,
}

impl Named {
    fn new(since: u64) -> Self {
        Self { since, static_place: None, places: Vec::new(), by_network: BTreeMap::new(), proven: false }
    }
}

impl<'r> Tally<'r> {
    pub(super) fn of(references: &'r [StaticReference], reports: &'r VecDeque<Vote>) -> Self {
        let mut paths: BTreeMap<&str, Named> = BTreeMap::new();
        for (place, reference) in references.iter().enumerate() {
            paths.entry(&reference.path).or_insert_with(|| Named::new(reference.since)).static_place.get_or_insert(place);
        }
        for vote in reports {
            for (place, path) in vote.paths.iter().enumerate() {
                let named = paths.entry(path).or_insert_with(|| Named::new(vote.epoch));
                named.since = named.since.min(vote.epoch);
                named.places.push(place);
                named.proven |= vote.kind != ReportKind::Thin;
                *named.by_network.entry(vote.network).or_default() += 1;
            }
        }
        let epochs: BTreeSet<u64> = paths.values().map(|named| named.since).collect();
        let voters = epochs.into_iter().map(|epoch| (epoch, reports_by_network(reports, epoch))).collect();
        Self { paths, voters }
    }

    /// Every path that the page or a report names.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'r str> {
        self.paths.keys().copied()
    }

    /// Whether enough votes bring a path in: half of them, and of those who prove nothing at least three networks.
    pub(super) fn enters(&self, path: &str) -> bool {
        let Some(named) = self.paths.get(path) else { return false };
        let (votes, networks) = self.votes(named);
        let is_proven = named.proven || named.by_network.len() >= THIN_VOTERS_MIN;
        votes > 0 && votes * 2 >= networks * VOTE && is_proven && !is_lone(named, networks)
    }

    /// Whether enough votes keep a path that is in: a quarter of them.
    pub(super) fn stays(&self, path: &str) -> bool {
        let Some(named) = self.paths.get(path) else { return false };
        let (votes, networks) = self.votes(named);
        votes > 0 && votes * 4 >= networks * VOTE && !is_lone(named, networks)
    }

    /// Whether more than one network names it, or the page itself does.
    pub(super) fn is_vouched(&self, path: &str) -> bool {
        self.paths.get(path).is_some_and(|named| named.static_place.is_some() || named.by_network.len() >= 2)
    }

    /// The place at which half of the reports that name it have had it; behind all others if none does.
    pub(super) fn place(&self, path: &str) -> usize {
        self.paths.get(path).and_then(|named| median(named.places.clone())).unwrap_or(usize::MAX)
    }

    /// Where the page itself refers to it; behind all others if it does not.
    pub(super) fn static_place(&self, path: &str) -> usize {
        self.paths.get(path).and_then(|named| named.static_place).unwrap_or(usize::MAX)
    }

    /// The votes for a path, in parts of [`VOTE`], and how many networks were asked.
    fn votes(&self, named: &Named) -> (u64, u64) {
        let Some(voters) = self.voters.get(&named.since) else { return (0, 0) };
        let votes = named.by_network.iter().map(|(network, count)| VOTE * count / voters.get(network).copied().unwrap_or(1).max(1)).sum();
        (votes, voters.len() as u64)
    }
}

/// Whether one network alone names a path after others have spoken.
fn is_lone(named: &Named, networks: u64) -> bool {
    networks > PAGE_SET_LONE_NETWORKS_MAX && named.by_network.len() < 2 && named.static_place.is_none()
}

fn reports_by_network(reports: &VecDeque<Vote>, since: u64) -> BTreeMap<IpAddr, u64> {
    let mut counts = BTreeMap::new();
    for vote in reports.iter().filter(|vote| vote.epoch >= since) {
        *counts.entry(vote.network).or_default() += 1;
    }
    counts
}

/// The value in the middle, the greater one of two.
pub(super) fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
