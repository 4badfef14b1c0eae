//! An outsider's view of one download: what it was told and what it asked for.

use std::collections::{BTreeMap, BTreeSet};

use viral_swarm::fetch::{
    Accepted, Fetch, FetchConfig, FetchOutput, PeerKey, Source,
    config::{FLIGHT_IDS_MAX, ORIGIN_IDS_MAX, QUERY_IDS_MAX, WINDOW_LEN_MAX},
};
use viral_wire::{Piece, PieceId};

use super::Op;
use crate::pieces::{number, piece};

/// Outputs after one call: more mean that they never end.
const OUTPUTS_MAX: usize = 20_000;

/// The machine beside what it must keep. Pieces are numbers.
pub(crate) struct Model {
    pub(crate) fetch: Fetch,
    pub(crate) now: u64,
    lens: Vec<u32>,
    held: BTreeSet<u32>,
    /// Only peers may be asked for these: expected and not demanded.
    expected: BTreeSet<u32>,
    /// Asked of each source and neither come, nor refused, nor failed.
    owed: BTreeMap<Source, BTreeSet<u32>>,
    dialled: BTreeSet<PeerKey>,
    in_crowd: bool,
    /// Pieces of leases given, and how many of them were reported as held.
    given: usize,
    reported: usize,
}

impl Model {
    pub(crate) fn new(seed: u32) -> Self {
        Self {
            fetch: Fetch::new(FetchConfig { seed }),
            now: 0,
            lens: Vec::new(),
            held: BTreeSet::new(),
            expected: BTreeSet::new(),
            owed: BTreeMap::new(),
            dialled: BTreeSet::new(),
            in_crowd: false,
            given: 0,
            reported: 0,
        }
    }

    /// How many pieces are known.
    pub(crate) fn known(&self) -> usize {
        self.lens.len()
    }

    /// Expected pieces that are neither held nor demanded.
    pub(crate) fn lacking(&self) -> Vec<u32> {
        self.expected.difference(&self.held).copied().collect()
    }

    /// Whether nothing is missing but what only peers may be asked for.
    pub(crate) fn has_all_wanted(&self) -> bool {
        self.held.len() + self.expected.difference(&self.held).count() == self.lens.len()
    }

    /// A piece that the origin was asked for and has not sent.
    pub(crate) fn owed_by_origin(&self) -> Option<u32> {
        self.owed.get(&Source::Origin).and_then(|owed| owed.first().copied())
    }

    pub(crate) fn name(id: u32) -> PieceId {
        piece(id, 1).id()
    }

    pub(crate) fn names(ids: &[u32]) -> Vec<PieceId> {
        ids.iter().map(|id| Self::name(*id)).collect()
    }

    pub(crate) fn add(&mut self, op: Op, lens: Vec<u32>) {
        let first = self.lens.len() as u32;
        let pieces: Vec<Piece> = (first..).zip(&lens).map(|(id, len)| piece(id, *len)).collect();
        if op != Op::AddPieces {
            self.expected.extend(first..first + lens.len() as u32);
        }
        self.lens.extend(lens);
        if op == Op::AddExpected {
            self.fetch.add_expected(self.now, &pieces);
        } else if op == Op::AddOnDemand {
            self.fetch.add_on_demand(self.now, &pieces);
        } else {
            self.fetch.add_pieces(self.now, &pieces);
        }
    }

    pub(crate) fn demand(&mut self, ids: &[u32]) {
        self.fetch.handle_demand(self.now, &Self::names(ids));
        self.want(ids);
    }

    pub(crate) fn held(&mut self, ids: &[u32]) {
        self.fetch.handle_held(self.now, &Self::names(ids));
        ids.iter().for_each(|id| self.has(*id));
    }

    /// Each connection is a peer of its own, so that none is dialled twice.
    pub(crate) fn dial(&mut self, peer: PeerKey, ids: &[u32]) {
        if self.dialled.insert(peer) {
            self.fetch.handle_dial(self.now, peer, &Self::names(ids));
        }
    }

    pub(crate) fn closed(&mut self, peer: PeerKey) {
        self.fetch.handle_closed(self.now, peer);
        self.owed.remove(&Source::Peer(peer));
    }

    pub(crate) fn refused(&mut self, peer: PeerKey, ids: &[u32]) {
        self.fetch.handle_refuse(self.now, peer, &Self::names(ids));
        self.forget(Source::Peer(peer), ids);
    }

    pub(crate) fn origin_failed(&mut self, ids: &[u32]) {
        self.fetch.handle_origin_failed(self.now, &Self::names(ids));
        self.forget(Source::Origin, ids);
    }

    /// A piece arrives, goes through `accept` first, as the shell must, and counts only if it is taken.
    pub(crate) fn piece(&mut self, source: Source, id: u32, verified: bool) {
        if !matches!(self.fetch.accept(source, Self::name(id)), Accepted::Take { .. }) {
            return;
        }
        assert!((id as usize) < self.lens.len() && !self.held.contains(&id), "nobody needs piece {id}");
        self.fetch.handle_piece(self.now, source, Self::name(id), verified);
        self.forget(source, &[id]);
        if verified {
            self.has(id);
        }
    }

    pub(crate) fn crowd(&mut self, in_crowd: bool) {
        self.fetch.handle_crowd(self.now, in_crowd);
        self.in_crowd = in_crowd;
    }

    pub(crate) fn lease(&mut self, ids: &[u32]) {
        self.fetch.handle_lease(self.now, &Self::names(ids));
        self.given += ids.len();
        if self.in_crowd {
            self.want(ids);
        }
    }

    /// Drains the outputs of one call and checks what must hold of each, whatever came before.
    pub(crate) fn settle(&mut self, was_timeout: bool) -> Vec<FetchOutput> {
        let mut outputs = Vec::new();
        while let Some(output) = self.fetch.poll() {
            self.check(&output);
            outputs.push(output);
            assert!(outputs.len() < OUTPUTS_MAX, "outputs never end");
        }
        let timeout = self.fetch.poll_timeout();
        assert!(!was_timeout || timeout.is_none_or(|at| at > self.now), "asks to be woken in the past: {timeout:?} at {}", self.now);
        let progress = self.fetch.progress();
        assert_eq!((progress.held, progress.total), (self.held.len(), self.lens.len()), "held is what was verified or stored");
        outputs
    }

    fn check(&mut self, output: &FetchOutput) {
        match output {
            FetchOutput::Want { peer, ids } => {
                assert!((1..=FLIGHT_IDS_MAX).contains(&ids.len()));
                let owed = self.asked(Source::Peer(*peer), ids);
                let bytes: u64 = owed.iter().map(|id| u64::from(self.lens[*id as usize])).sum();
                assert!(owed.len() == 1 || bytes <= WINDOW_LEN_MAX, "{bytes} bytes in flight with one peer");
                assert!(owed.len() <= FLIGHT_IDS_MAX, "{} pieces in flight with one peer", owed.len());
            }
            FetchOutput::AskOrigin { ids } => {
                assert!((1..=ORIGIN_IDS_MAX).contains(&ids.len()));
                let is_expected = |id: &PieceId| self.expected.contains(&number(*id));
                assert!(!ids.iter().any(is_expected), "what nobody demanded is not asked of the origin");
                self.asked(Source::Origin, ids);
            }
            FetchOutput::Cancel { ids, .. } => assert!((1..=FLIGHT_IDS_MAX).contains(&ids.len())),
            FetchOutput::Query { ids, .. } => assert!((1..=QUERY_IDS_MAX).contains(&ids.len())),
            FetchOutput::Drop { peer, .. } => {
                self.owed.remove(&Source::Peer(*peer));
            }
            FetchOutput::AskLease { done } => {
                assert!(self.in_crowd, "outside a crowd there are no shares");
                self.reported += *done as usize;
                assert!(self.reported <= self.given, "{} pieces of {} reported", self.reported, self.given);
            }
            FetchOutput::Done => assert_eq!(self.held.len(), self.lens.len(), "done means all"),
            FetchOutput::NeedPeers => {
                assert!(!self.has_all_wanted(), "nobody is needed when all that is wanted is held")
            }
        }
    }

    /// Notes what a source is asked for; all that it owes now.
    fn asked(&mut self, source: Source, ids: &[PieceId]) -> BTreeSet<u32> {
        for id in ids.iter().map(|id| number(*id)) {
            assert!(!self.held.contains(&id), "piece {id} is asked for though it is held");
            let others = self.owed.values().filter(|owed| owed.contains(&id)).count();
            assert!(others < 2, "piece {id} is asked for a third time");
            assert!(self.owed.entry(source).or_default().insert(id), "piece {id} is asked of the same source twice");
        }
        self.owed.get(&source).cloned().unwrap_or_default()
    }

    fn want(&mut self, ids: &[u32]) {
        for id in ids {
            self.expected.remove(id);
        }
    }

    fn has(&mut self, id: u32) {
        if (id as usize) < self.lens.len() {
            self.held.insert(id);
            self.owed.values_mut().for_each(|owed| {
                owed.remove(&id);
            });
        }
    }

    fn forget(&mut self, source: Source, ids: &[u32]) {
        if let Some(owed) = self.owed.get_mut(&source) {
            owed.retain(|id| !ids.contains(id));
        }
    }
}
