//! A small network around the engine: peers of several characters and an origin, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::trace::{Input, Traced, name_of};
use crate::fetch::{Accepted, Fault, FetchOutput, PeerKey, Source};
use crate::replay;

/// How a peer behaves.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// From the dial to the open; `None` = it never opens.
    pub(super) opens_ms: Option<u64>,
    /// One way.
    pub(super) delay_ms: u64,
    pub(super) bytes_per_ms: u64,
    /// `None` = everything of the manifest, and it says so in its `hello`.
    pub(super) holds: Option<BTreeSet<u32>>,
    /// Says `hello` when it opens.
    pub(super) greets: bool,
    /// Sends so many pieces, then nothing more.
    pub(super) silent_after: usize,
    /// The piece (counted from 0) that it forges.
    pub(super) forges: Option<usize>,
    pub(super) refuses: bool,
    /// Closes so long after its open.
    pub(super) closes_ms: Option<u64>,
    pub(super) push: Vec<u32>,
    /// Pieces that it has so long after its open, of which it tells.
    pub(super) gains: Vec<(u64, u32)>,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            opens_ms: Some(40),
            delay_ms: 5,
            bytes_per_ms: 2_000,
            holds: None,
            greets: true,
            silent_after: usize::MAX,
            forges: None,
            refuses: false,
            closes_ms: None,
            push: Vec::new(),
            gains: Vec::new(),
        }
    }
}

#[derive(Debug)]
enum Event {
    Open(PeerKey),
    Close(PeerKey),
    /// A request reaches the source.
    Asked(Source, Vec<u32>),
    /// A cancel reaches the peer.
    Cancelled(PeerKey, Vec<u32>),
    /// The source has put the piece on the wire.
    Sent {
        source: Source,
        id: u32,
        verified: bool,
    },
    Arrive {
        source: Source,
        id: u32,
        verified: bool,
    },
    Have(PeerKey, Vec<u32>),
    /// The peer has a piece more.
    Gain(PeerKey, u32),
    /// The tracker replies to a `share`.
    Grant,
    Refuse(PeerKey, Vec<u32>),
    OriginFail(Vec<u32>),
}

/// The engine and everybody it talks to.
pub(super) struct World {
    pub(super) traced: Traced,
    pub(super) now: u64,
    peers: BTreeMap<PeerKey, Peer>,
    open: BTreeSet<PeerKey>,
    /// What each source still has to send, and whether it is sending.
    queues: BTreeMap<Source, (VecDeque<u32>, bool)>,
    sent: BTreeMap<Source, usize>,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
    /// While true, requests to the origin fail.
    pub(super) origin_down: bool,
    pub(super) origin_delay_ms: u64,
    pub(super) done_at: Option<u64>,
    pub(super) need_peers: usize,
    pub(super) drops: Vec<(PeerKey, Fault)>,
    pub(super) bytes_from: BTreeMap<Source, u64>,
    /// Bytes that came for pieces already held.
    pub(super) waste: u64,
    pub(super) origin_requests: usize,
    pub(super) piece_len: u32,
    pub(super) origin_bytes_per_ms: u64,
    /// Shares that the tracker has still to give; then it says that everything is with somebody.
    pub(super) grants: VecDeque<Vec<u32>>,
    pub(super) tracker_delay_ms: u64,
    /// How often a lease was asked for, and pieces reported as held.
    pub(super) leases: (usize, u32),
}

impl World {
    pub(super) fn new(seed: u32) -> Self {
        Self {
            traced: Traced::new(seed),
            now: 0,
            peers: BTreeMap::new(),
            open: BTreeSet::new(),
            queues: BTreeMap::new(),
            sent: BTreeMap::new(),
            events: BTreeMap::new(),
            next: 0,
            origin_down: false,
            origin_delay_ms: 20,
            done_at: None,
            need_peers: 0,
            drops: Vec::new(),
            bytes_from: BTreeMap::new(),
            waste: 0,
            origin_requests: 0,
            piece_len: 32 * 1024,
            origin_bytes_per_ms: 5_000,
            grants: VecDeque::new(),
            tracker_delay_ms: 30,
            leases: (0, 0),
        }
    }

    pub(super) fn add_pieces(&mut self, count: usize) {
        self.call(Input::AddPieces { lens: vec![self.piece_len; count] });
    }

    pub(super) fn add_expected(&mut self, count: usize) {
        self.call(Input::AddExpected { lens: vec![self.piece_len; count] });
    }

    pub(super) fn dial(&mut self, key: PeerKey, peer: Peer) {
        let ids = peer.push.clone();
        if let Some(ms) = peer.opens_ms {
            self.schedule(ms, Event::Open(key));
        }
        self.peers.insert(key, peer);
        self.call(Input::Dial { peer: key, ids });
    }

    pub(super) fn from(&self, source: Source) -> u64 {
        self.bytes_from.get(&source).copied().unwrap_or(0)
    }

    /// Lets time pass until everything is held, at most until `until`.
    pub(super) fn run(&mut self, until: u64) {
        while self.done_at.is_none() && self.step(until) {}
    }

    /// Lets time pass until `until`, done or not.
    pub(super) fn run_on(&mut self, until: u64) {
        while self.step(until) {}
        self.now = until;
    }

    pub(super) fn call(&mut self, input: Input) -> Option<Accepted> {
        let (accepted, outputs) = self.traced.call(self.now, input);
        for output in outputs {
            self.obey(output);
        }
        accepted
    }

    /// What comes next, if it comes before `until`.
    pub(super) fn step(&mut self, until: u64) -> bool {
        let event_at = self.events.keys().next().map(|key| key.0);
        let timeout = self.traced.fetch.poll_timeout();
        let Some(next) = event_at.into_iter().chain(timeout).min().filter(|&at| at <= until) else { return false };
        self.now = self.now.max(next);
        if timeout.is_some_and(|at| at <= next) {
            self.call(Input::Timeout);
        } else if let Some((_, event)) = self.events.pop_first() {
            self.happen(event);
        }
        true
    }

    fn schedule(&mut self, ms: u64, event: Event) {
        self.next += 1;
        self.events.insert((self.now + ms, self.next), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Open(peer) => {
                let Some(sim) = self.peers.get(&peer).cloned() else { return };
                self.open.insert(peer);
                if let Some(ms) = sim.closes_ms {
                    self.schedule(ms, Event::Close(peer));
                }
                self.call(Input::Open { peer });
                if sim.greets {
                    self.call(Input::Hello { peer, complete: sim.holds.is_none() });
                }
                self.enqueue(Source::Peer(peer), sim.push);
                for (ms, id) in sim.gains {
                    self.schedule(ms, Event::Gain(peer, id));
                }
            }
            Event::Close(peer) => {
                self.peers.remove(&peer);
                if self.open.remove(&peer) {
                    self.call(Input::Closed { peer });
                }
            }
            Event::Asked(source, ids) => self.enqueue(source, ids),
            Event::Cancelled(peer, ids) => {
                let (queue, _) = self.queues.entry(Source::Peer(peer)).or_default();
                queue.retain(|id| !ids.contains(id));
            }
            Event::Sent { source, id, verified } => {
                let (delay_ms, _) = self.path(source);
                self.schedule(delay_ms, Event::Arrive { source, id, verified });
                self.queues.entry(source).or_default().1 = false;
                self.send_next(source);
            }
            Event::Arrive { source, id, verified } => self.arrive(source, id, verified),
            Event::Have(peer, ids) if self.open.contains(&peer) => {
                self.call(Input::Have { peer, ids });
            }
            Event::Refuse(peer, ids) if self.open.contains(&peer) => {
                self.call(Input::Refuse { peer, ids });
            }
            Event::OriginFail(ids) => {
                self.call(Input::OriginFailed { ids });
            }
            Event::Gain(peer, id) if self.open.contains(&peer) => {
                if let Some(held) = self.peers.get_mut(&peer).and_then(|sim| sim.holds.as_mut()) {
                    held.insert(id);
                }
                self.call(Input::Have { peer, ids: vec![id] });
            }
            Event::Grant => {
                let ids = self.grants.pop_front().unwrap_or_default();
                self.call(Input::Share { ids });
            }
            Event::Gain(..) | Event::Have(..) | Event::Refuse(..) => {}
        }
    }

    fn arrive(&mut self, source: Source, id: u32, verified: bool) {
        if let Source::Peer(peer) = source
            && !self.open.contains(&peer)
        {
            return;
        }
        let len = u64::from(self.traced.len_of(id));
        match self.call(Input::Accept { source: name_of(source), id }) {
            Some(Accepted::Take { .. }) => {
                *self.bytes_from.entry(source).or_default() += len;
                self.call(Input::Piece { source: name_of(source), id, verified });
            }
            Some(Accepted::Late) => self.waste += len,
            Some(Accepted::Unasked) | None => panic!("an honest delivery of {id} by {source:?} counts as unasked"),
        }
    }

    fn obey(&mut self, output: FetchOutput) {
        match output {
            FetchOutput::Want { peer, ids } => {
                let numbers: Vec<u32> = ids.into_iter().map(replay::number).collect();
                let Some(sim) = self.peers.get(&peer) else { return };
                if sim.refuses {
                    self.schedule(sim.delay_ms * 2, Event::Refuse(peer, numbers));
                } else {
                    self.schedule(sim.delay_ms, Event::Asked(Source::Peer(peer), numbers));
                }
            }
            FetchOutput::AskLease { done } => {
                self.leases = (self.leases.0 + 1, self.leases.1 + done);
                self.schedule(self.tracker_delay_ms, Event::Grant);
            }
            FetchOutput::Cancel { peer, ids } => {
                let (delay_ms, _) = self.path(Source::Peer(peer));
                self.schedule(delay_ms, Event::Cancelled(peer, ids.into_iter().map(replay::number).collect()));
            }
            FetchOutput::Query { peer, ids } => {
                let Some(sim) = self.peers.get(&peer) else { return };
                let held = sim.holds.clone().unwrap_or_default();
                let have = ids.into_iter().map(replay::number).filter(|id| held.contains(id)).collect();
                self.schedule(sim.delay_ms * 2, Event::Have(peer, have));
            }
            FetchOutput::AskOrigin { ids } => {
                self.origin_requests += 1;
                let numbers: Vec<u32> = ids.into_iter().map(replay::number).collect();
                if self.origin_down {
                    return self.schedule(self.origin_delay_ms, Event::OriginFail(numbers));
                }
                self.schedule(self.origin_delay_ms, Event::Asked(Source::Origin, numbers));
            }
            FetchOutput::Drop { peer, fault } => {
                self.open.remove(&peer);
                self.drops.push((peer, fault));
            }
            FetchOutput::Done => self.done_at = Some(self.now),
            FetchOutput::NeedPeers => self.need_peers += 1,
        }
    }

    /// One-way delay and bytes per millisecond of the path from a source.
    fn path(&self, source: Source) -> (u64, u64) {
        match source {
            Source::Origin => (self.origin_delay_ms, self.origin_bytes_per_ms),
            Source::Peer(peer) => self.peers.get(&peer).map_or((0, 1), |sim| (sim.delay_ms, sim.bytes_per_ms)),
        }
    }

    fn enqueue(&mut self, source: Source, ids: Vec<u32>) {
        self.queues.entry(source).or_default().0.extend(ids);
        self.send_next(source);
    }

    /// A source sends one piece after the other.
    fn send_next(&mut self, source: Source) {
        let (_, bytes_per_ms) = self.path(source);
        let sim = name_of(source).and_then(|peer| self.peers.get(&peer).cloned()).unwrap_or_default();
        let sent = self.sent.entry(source).or_default();
        let (queue, busy) = self.queues.entry(source).or_default();
        if *busy || *sent >= sim.silent_after {
            return;
        }
        let Some(id) = queue.pop_front() else { return };
        *busy = true;
        let verified = sim.forges != Some(*sent);
        *sent += 1;
        let ms = u64::from(self.traced.len_of(id)) / bytes_per_ms;
        self.schedule(ms, Event::Sent { source, id, verified });
    }
}
