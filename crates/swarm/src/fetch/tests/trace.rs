//! Records every call and what came of it, and checks what must hold after each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use viral_wire::{Piece, PieceId, signal::Beyond};

use crate::fetch::config::{FLIGHT_IDS_MAX, ORIGIN_IDS_MAX, QUERY_IDS_MAX, WINDOW_LEN_MAX};
use crate::fetch::{Accepted, Fault, Fetch, FetchConfig, FetchOutput, PeerKey, Source};
use crate::replay;

/// One call, as it stands in a trace. Pieces are numbers; a source is a peer's number, or null for the origin.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub(super) enum Input {
    AddPieces { lens: Vec<u32> },
    AddExpected { lens: Vec<u32> },
    AddOnDemand { lens: Vec<u32> },
    Demand { ids: Vec<u32> },
    Held { ids: Vec<u32> },
    Dial { peer: PeerKey, ids: Vec<u32> },
    Promise { peer: PeerKey, ids: Vec<u32> },
    Open { peer: PeerKey },
    Beyond { peer: PeerKey, stripe: u8, stripes: u8 },
    Closed { peer: PeerKey },
    Hello { peer: PeerKey, complete: bool },
    Have { peer: PeerKey, ids: Vec<u32> },
    Refuse { peer: PeerKey, ids: Vec<u32> },
    Accept { source: Option<PeerKey>, id: u32 },
    Piece { source: Option<PeerKey>, id: u32, verified: bool },
    Fault { peer: PeerKey, fault: Fault },
    OriginFailed { ids: Vec<u32> },
    Crowd { in_crowd: bool },
    Share { ids: Vec<u32> },
    Timeout,
}

/// The engine, its diary, and an outsider's view of what it asked for.
pub(super) struct Traced {
    pub(super) fetch: Fetch,
    seed: u32,
    lens: Vec<u32>,
    steps: Vec<Value>,
    held: BTreeSet<u32>,
    /// Only peers may be asked for these: expected and not demanded.
    expected: BTreeSet<u32>,
    /// Asked of each source and neither come, nor refused, nor failed.
    owed: BTreeMap<Source, BTreeSet<u32>>,
    /// Asked more than once at the same time, ever.
    pub(super) doubled: BTreeSet<u32>,
    /// Pieces given as leases, how many with repetitions, and how many of those were reported as held.
    leased: BTreeSet<u32>,
    given: usize,
    reported: usize,
}

impl Traced {
    pub(super) fn new(seed: u32) -> Self {
        Self {
            fetch: Fetch::new(FetchConfig { seed }),
            seed,
            lens: Vec::new(),
            steps: Vec::new(),
            held: BTreeSet::new(),
            expected: BTreeSet::new(),
            owed: BTreeMap::new(),
            doubled: BTreeSet::new(),
            leased: BTreeSet::new(),
            given: 0,
            reported: 0,
        }
    }

    pub(super) fn len_of(&self, number: u32) -> u32 {
        self.lens[number as usize]
    }

    /// Whether the engine takes itself for one of a crowd.
    pub(super) fn is_in_crowd(&self) -> bool {
        self.fetch.policy.lease.is_some()
    }

    pub(super) fn is_held(&self, number: u32) -> bool {
        self.held.contains(&number)
    }

    /// Pieces asked of a source that have not come.
    pub(super) fn owed_by(&self, source: Source) -> BTreeSet<u32> {
        self.owed.get(&source).cloned().unwrap_or_default()
    }

    /// Expected pieces that are neither held nor demanded.
    pub(super) fn lacking(&self) -> BTreeSet<u32> {
        self.expected.difference(&self.held).copied().collect()
    }

    /// Makes one call, drains the outputs and notes it all down.
    pub(super) fn call(&mut self, now: u64, input: Input) -> (Option<Accepted>, Vec<FetchOutput>) {
        let accepted = self.apply(now, &input);
        let mut outputs = Vec::new();
        while let Some(output) = self.fetch.poll() {
            self.look_at(&output);
            outputs.push(output);
            assert!(outputs.len() < 20_000, "poll never ends");
        }
        let timeout = self.fetch.poll_timeout();
        if matches!(input, Input::Timeout) {
            assert!(timeout.is_none_or(|at| at > now), "asks to be woken in the past: {timeout:?} at {now}");
        }
        let progress = self.fetch.progress();
        assert_eq!(progress.held, self.held.len(), "held is what was verified or stored");
        let mut step =
            json!({ "now": now, "input": input, "outputs": outputs.iter().map(replay::numbered).collect::<Vec<_>>(), "timeout": timeout });
        if let Some(accepted) = accepted {
            step["accepted"] = serde_json::to_value(accepted).unwrap();
        }
        self.steps.push(step);
        (accepted, outputs)
    }

    /// Writes or compares the trace.
    pub(super) fn check(&self, name: &str) {
        replay::check("fetch", name, &json!({ "seed": self.seed }), &self.steps);
    }

    fn apply(&mut self, now: u64, input: &Input) -> Option<Accepted> {
        let in_crowd = self.is_in_crowd();
        let fetch = &mut self.fetch;
        match input {
            Input::AddPieces { lens } => fetch.add_pieces(now, &number(&mut self.lens, lens)),
            Input::AddExpected { lens } => {
                self.expected.extend((self.lens.len() as u32..).take(lens.len()));
                fetch.add_expected(now, &number(&mut self.lens, lens));
            }
            Input::AddOnDemand { lens } => {
                self.expected.extend((self.lens.len() as u32..).take(lens.len()));
                fetch.add_on_demand(now, &number(&mut self.lens, lens));
            }
            Input::Demand { ids } => {
                fetch.handle_demand(now, &replay::ids(ids));
                for id in ids {
                    self.expected.remove(id);
                }
            }
            Input::Held { ids } => {
                fetch.handle_held(now, &replay::ids(ids));
                for &id in ids {
                    self.settle(id);
                }
            }
            Input::Dial { peer, ids } => fetch.handle_dial(now, *peer, &replay::ids(ids)),
            Input::Promise { peer, ids } => fetch.handle_push_announced(now, *peer, &replay::ids(ids)),
            Input::Open { peer } => fetch.handle_open(now, *peer),
            Input::Beyond { peer, stripe, stripes } => fetch.handle_beyond(now, *peer, Beyond { stripe: *stripe, stripes: *stripes }),
            Input::Closed { peer } => {
                fetch.handle_closed(now, *peer);
                self.owed.remove(&Source::Peer(*peer));
            }
            Input::Hello { peer, complete } => fetch.handle_hello(now, *peer, *complete),
            Input::Have { peer, ids } => fetch.handle_have(now, *peer, &replay::ids(ids)),
            Input::Refuse { peer, ids } => {
                fetch.handle_refuse(now, *peer, &replay::ids(ids));
                self.forget(Source::Peer(*peer), ids);
            }
            Input::Accept { source, id } => return Some(fetch.accept(source_of(*source), replay::id(*id))),
            Input::Piece { source, id, verified } => {
                fetch.handle_piece(now, source_of(*source), replay::id(*id), *verified);
                self.forget(source_of(*source), &[*id]);
                if *verified {
                    self.settle(*id);
                }
            }
            Input::Fault { peer, fault } => fetch.handle_fault(now, *peer, *fault),
            Input::OriginFailed { ids } => {
                fetch.handle_origin_failed(now, &replay::ids(ids));
                self.forget(Source::Origin, ids);
            }
            Input::Crowd { in_crowd } => fetch.handle_crowd(now, *in_crowd),
            Input::Share { ids } => {
                fetch.handle_lease(now, &replay::ids(ids));
                self.given += ids.len();
                self.leased.extend(ids);
                for id in ids.iter().filter(|_| in_crowd) {
                    self.expected.remove(id);
                }
            }
            Input::Timeout => fetch.handle_timeout(now),
        }
        None
    }

    fn settle(&mut self, id: u32) {
        if id as usize >= self.lens.len() {
            return;
        }
        self.held.insert(id);
        for owed in self.owed.values_mut() {
            owed.remove(&id);
        }
    }

    fn forget(&mut self, source: Source, ids: &[u32]) {
        if let Some(owed) = self.owed.get_mut(&source) {
            ids.iter().for_each(|id| {
                owed.remove(id);
            });
        }
    }

    /// What must hold of every output, whatever came before.
    fn look_at(&mut self, output: &FetchOutput) {
        match output {
            FetchOutput::Want { peer, ids } => {
                assert!(!ids.is_empty() && ids.len() <= FLIGHT_IDS_MAX);
                self.note(Source::Peer(*peer), ids);
                let owed = &self.owed[&Source::Peer(*peer)];
                let bytes: u64 = owed.iter().map(|&id| u64::from(self.len_of(id))).sum();
                assert!(owed.len() == 1 || bytes <= WINDOW_LEN_MAX, "{bytes} bytes in flight with one peer");
                assert!(owed.len() <= FLIGHT_IDS_MAX, "{} pieces in flight with one peer", owed.len());
            }
            FetchOutput::AskOrigin { ids } => {
                assert!(!ids.is_empty() && ids.len() <= ORIGIN_IDS_MAX);
                assert!(
                    !ids.iter().any(|&id| self.expected.contains(&replay::number(id))),
                    "what nobody demanded is not asked of the origin"
                );
                self.note(Source::Origin, ids);
                let alone = |id: &u32| self.owed.values().filter(|owed| owed.contains(id)).count() == 1;
                let is_leased = |id: &PieceId| self.leased.contains(&replay::number(*id)) && alone(&replay::number(*id));
                let is_fallback = self.fetch.policy.lease.as_ref().is_some_and(|lease| lease.origin_fallback > 0)
                    && self.owed[&Source::Origin].len() == ids.len();
                assert!(
                    !self.is_in_crowd() || is_fallback || ids.iter().all(is_leased),
                    "one of a crowd takes its share from the origin and hedges nothing while anybody gives"
                );
            }
            FetchOutput::Cancel { ids, .. } => assert!(!ids.is_empty() && ids.len() <= FLIGHT_IDS_MAX),
            FetchOutput::Query { ids, .. } => assert!(!ids.is_empty() && ids.len() <= QUERY_IDS_MAX),
            FetchOutput::Drop { peer, .. } => {
                self.owed.remove(&Source::Peer(*peer));
            }
            FetchOutput::AskLease { done } => {
                assert!(self.is_in_crowd(), "outside a crowd there are no shares");
                self.reported += *done as usize;
                assert!(self.reported <= self.given, "{} pieces of {} reported", self.reported, self.given);
            }
            FetchOutput::Done => assert_eq!(self.held.len(), self.lens.len(), "done means all"),
            FetchOutput::NeedPeers => {
                assert!(self.held.len() + self.lacking().len() < self.lens.len(), "nobody is needed when all that is wanted is held");
            }
        }
    }

    fn note(&mut self, source: Source, ids: &[PieceId]) {
        for id in ids {
            let id = replay::number(*id);
            assert!(!self.held.contains(&id), "piece {id} is asked for though it is held");
            let others = self.owed.values().filter(|owed| owed.contains(&id)).count();
            assert!(others < 2, "piece {id} is asked for a third time");
            if others == 1 {
                self.doubled.insert(id);
            }
            assert!(self.owed.entry(source).or_default().insert(id), "piece {id} is asked of the same source twice");
        }
    }
}

/// New pieces, numbered after those that are known.
fn number(known: &mut Vec<u32>, lens: &[u32]) -> Vec<Piece> {
    let first = known.len();
    known.extend(lens);
    (first..).zip(lens).map(|(at, &len)| replay::piece(u32::try_from(at).unwrap(), len)).collect()
}

/// The source as a trace names it.
pub(super) fn source_of(peer: Option<PeerKey>) -> Source {
    peer.map_or(Source::Origin, Source::Peer)
}

/// The other way round.
pub(super) fn name_of(source: Source) -> Option<PeerKey> {
    match source {
        Source::Origin => None,
        Source::Peer(peer) => Some(peer),
    }
}
