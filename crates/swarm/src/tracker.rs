//! The tracker: who is there, who holds what, who meets whom. It carries no content and relays only between peers that it matched.
//!
//! Drive it: call one `handle_*` or [`Tracker::offers_for`], drain [`Tracker::poll`] until `None`, then sleep until [`Tracker::poll_timeout`]
//! and call [`Tracker::handle_timeout`]. Time is an argument in milliseconds and never decreases.
//!
//! The life of an offer: a seeder leaves it (*ready*) → it is given to a leecher (*reserved*, for a while) → that leecher answers, the
//! offer is used up and a slot is taken (*answered*, *opened*) → the connection ends and the slot is free. A reservation that lapses makes
//! the offer ready again; the leecher may still answer it as long as nobody else was given it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use viral_wire::{
    Digest,
    signal::{ErrorCode, PeerNumber, TrackerToPeer},
};

use crate::{
    cluster::ServerNumber,
    coverage::Coverage,
    limits::{LEASE_SEEDERS_ENOUGH, OUTPUTS_MAX},
    lineage::Lineage,
    places::Places,
    random::Random,
    reached::Reached,
    stun::StunPorts,
};

pub use crate::address::ClientAddr;
pub use config::TrackerConfig;
pub use output::{CloseReason, TrackerOutput};
pub use stats::{Matches, MatchesByTier, Refused, Reported, Totals, TrackerCounts, TrackerStats};
pub use types::{AnswerError, Answerer, GuestWish, Seeking, VisitError};

use self::{
    candidates::Candidates,
    learned_locality::LearnedLocality,
    lines::Lines,
    members::Members,
    origin_leases::{Asked, Granted, OriginLeases},
    reputation::Reputation,
    timers::{Timer, Timers},
};

mod answers;
mod by_peer;
mod candidates;
mod choice;
mod config;
mod connections;
mod given;
mod learned_locality;
mod leecher;
mod lines;
mod matching;
mod members;
mod membership;
mod messages;
mod offers;
mod origin_leases;
mod output;
mod reports;
mod reputation;
mod search;
mod session;
mod small_map;
mod standing;
mod stats;
mod timers;
mod types;
mod visit;

#[cfg(test)]
mod scenarios;

/// The tracker of one site.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    /// Where peers may ask how the world sees them.
    stun: StunPorts,
    /// Which of several servers this is the tracker of.
    server: Option<ServerNumber>,
    random: Random,
    /// Browsers are asked to give nothing now.
    is_quiet: bool,
    /// Sessions that were not yet told whether it is quiet.
    untold: Vec<PeerNumber>,
    now_ms: u64,
    members: Members,
    session_places: Places<PeerNumber>,
    /// The sessions of each browser that is known.
    browsers: BTreeSet<(u64, PeerNumber)>,
    /// Pages with at least one registered session.
    pages: BTreeMap<Arc<str>, Page>,
    candidates: Candidates,
    /// Those of sessions; visits and leases have their own.
    timers: Timers<Timer>,
    leases: OriginLeases,
    lines: Lines,
    reputation: Reputation,
    learned_locality: LearnedLocality,
    reached: Reached,
    totals: Totals,
    lineage: Lineage,
    outputs: VecDeque<TrackerOutput>,
    /// Numbers offers and leechers, so that one is never taken for a later one of the same name.
    serial: u64,
}

#[derive(Debug, Default)]
struct Page {
    manifest: Option<Digest>,
    peers: BTreeSet<PeerNumber>,
}

impl Tracker {
    /// A tracker without members. The same `seed` and the same calls give the same outputs.
    #[must_use]
    pub fn new(config: TrackerConfig, seed: u64) -> Self {
        Self {
            config,
            stun: StunPorts::default(),
            server: None,
            random: Random::new(seed),
            is_quiet: false,
            untold: Vec::new(),
            now_ms: 0,
            members: Members::new(config.ticket_age_max_ms),
            session_places: Places::default(),
            browsers: BTreeSet::new(),
            pages: BTreeMap::new(),
            candidates: Candidates::new(config.ladder.has_leech_tiers()),
            timers: Timers::default(),
            leases: OriginLeases::default(),
            lines: Lines::default(),
            reputation: Reputation::default(),
            learned_locality: LearnedLocality::default(),
            reached: Reached::default(),
            totals: Totals::default(),
            lineage: Lineage::default(),
            outputs: VecDeque::new(),
            serial: 0,
        }
    }

    /// What the host must do next, if anything.
    pub fn poll(&mut self) -> Option<TrackerOutput> {
        self.outputs.pop_front()
    }

    /// Peers that register from now on are told to ask there how the world sees them, if it helps them.
    pub fn set_stun(&mut self, ports: StunPorts) {
        self.stun = ports;
    }

    /// Peers that join from now on have numbers that name this server.
    pub fn set_server(&mut self, number: ServerNumber) {
        self.server = Some(number);
    }

    /// It is quiet from now on, or not any more. Browsers that register hear of it so, and those that did before by [`Self::tell_quiet`].
    pub fn set_quiet(&mut self, is_quiet: bool) {
        if std::mem::replace(&mut self.is_quiet, is_quiet) != is_quiet {
            self.untold = self.members.sessions.keys().copied().collect();
            self.untold.sort_unstable();
        }
    }

    /// Tells sessions whether it is quiet, at most `count_max` at a time, since all of a large site would answer at once. Whether there are more.
    #[must_use]
    pub fn tell_quiet(&mut self, now_ms: u64, count_max: usize) -> bool {
        self.advance(now_ms);
        let peers = self.untold.split_off(self.untold.len().saturating_sub(count_max));
        peers.into_iter().for_each(|peer| self.adjust_slots(peer));
        !self.untold.is_empty()
    }

    /// What ready peers hold: up to `count_max` manifests with how many hold (some of) each.
    #[must_use]
    pub fn holdings(&self, count_max: usize) -> Vec<(Digest, u32)> {
        self.candidates.holdings(count_max)
    }

    /// When [`Self::handle_timeout`] must be called at the latest, in milliseconds; `None` while nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        [self.timers.next(), self.members.visits.poll_timeout(), self.leases.poll_timeout()].into_iter().flatten().min()
    }

    /// Lets everything that is due at `now_ms` lapse.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.advance(now_ms);
        while let Some(due_ms) = self.poll_timeout().filter(|due_ms| *due_ms <= self.now_ms) {
            // Of what is due at the same time sessions come first, then visits, then leases.
            if self.timers.next() == Some(due_ms) {
                self.handle_session_timer();
            } else if self.members.visits.poll_timeout() == Some(due_ms) {
                let forgotten = self.members.visits.expire_next(self.now_ms);
                self.end_visit(forgotten);
            } else {
                let granted = self.leases.expire_next(self.now_ms);
                self.grant(granted);
            }
        }
    }

    /// Whether somebody fetches this manifest by leases now.
    #[must_use]
    pub fn is_crowded(&self, manifest: &Digest) -> bool {
        self.leases.is_crowded(self.now_ms, manifest)
    }

    /// Takes the first place at a manifest for somebody who comes now, if it is free: nobody who is connected ever took a lease of it, and nobody was given the place in the
    /// last [`FIRST_VISITOR_MS`](crate::limits::FIRST_VISITOR_MS).
    #[must_use]
    pub fn take_first_place(&mut self, now_ms: u64, manifest: Digest) -> bool {
        self.advance(now_ms);
        self.leases.take_first_place(self.now_ms, manifest)
    }

    /// Admits a visit to those who fetch a manifest together: opens it, and if it is the first of them gives it the first pieces. Whether it is.
    #[must_use]
    pub fn join_crowd(&mut self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> bool {
        self.advance(now_ms);
        let Some(pieces) = coverage.pieces(&seeking.manifest).filter(|_| self.open_visit(seeking)) else { return false };
        let number = self.members.number_of(Answerer::Ticket(seeking.ticket));
        number.is_some_and(|number| self.leases.begin(self.now_ms, number, seeking.manifest, pieces))
    }

    /// How many registered peers of a page hold its manifest of now whole and can be introduced.
    #[must_use]
    pub fn seeders_of(&self, page: &str) -> usize {
        let Some((entry, manifest)) = self.pages.get(page).and_then(|entry| Some((entry, entry.manifest?))) else { return 0 };
        let sessions = entry.peers.iter().filter_map(|peer| self.members.sessions.get(peer));
        sessions
            .filter(|session| session.is_reachable() && session.held.is_some_and(|held| held.complete && held.manifest == manifest))
            .count()
    }

    /// How the swarm is at `now_ms`.
    #[must_use]
    pub fn snapshot(&self, now_ms: u64) -> TrackerStats {
        TrackerStats::of(now_ms, self.members.sessions.values().map(AsRef::as_ref), &self.members.visits, &self.totals)
    }

    /// The page of a registered session, and the manifest that it seeks: the one it names, or the page's.
    #[must_use]
    pub fn sought(&self, peer: PeerNumber, manifest: Option<Digest>) -> Option<(String, Digest)> {
        let page = self.members.sessions.get(&peer)?.page.as_ref()?;
        let manifest = manifest.or_else(|| self.pages.get(page)?.manifest)?;
        Some((page.to_string(), manifest))
    }

    /// The part of [`snapshot`](Self::snapshot) for which no session is looked at.
    #[must_use]
    pub fn counts(&self) -> TrackerCounts {
        let Members { sessions, visits } = &self.members;
        TrackerCounts { sessions: sessions.len(), tickets: visits.len(), ready: self.candidates.len(), totals: self.totals.clone() }
    }

    /// Peers that could serve one leecher more now: those that hold the manifest of a page as it is now, and those that hold older ones.
    #[must_use]
    pub fn ready_by_age(&self) -> (u64, u64) {
        let current: BTreeSet<Digest> = self.pages.values().filter_map(|page| page.manifest).collect();
        self.candidates.holdings(usize::MAX).into_iter().fold((0, 0), |(new, old), (manifest, count)| {
            if current.contains(&manifest) { (new + u64::from(count), old) } else { (new, old + u64::from(count)) }
        })
    }

    /// Whether visitors reach anybody, by network.
    #[must_use]
    pub fn reached(&self) -> &Reached {
        &self.reached
    }

    /// Who got the app from whom.
    #[must_use]
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TrackerConfig {
        &self.config
    }

    fn handle_session_timer(&mut self) {
        let Some(timer) = self.timers.pop_due(self.now_ms) else { return };
        match timer {
            Timer::Register(peer) => self.close(peer, CloseReason::NeverRegistered),
            Timer::Reservation(peer, offer) => {
                if let Some(session) = self.members.sessions.get_mut(&peer) {
                    session.book.lapse(offer);
                }
                self.refresh(peer);
            }
            Timer::OfferAge(peer, offer) => {
                let Some(session) = self.members.sessions.get_mut(&peer) else { return };
                if session.book.expire(&mut self.timers, offer) {
                    self.refresh(peer);
                    self.top_up(peer);
                }
            }
            Timer::Open(peer, offer) => self.handle_never_opened(peer, offer),
            Timer::CooledDown(peer) => self.handle_cooled_down(peer),
            Timer::NextDay(peer) => self.handle_next_day(peer),
        }
    }

    /// A peer wants pieces to take from the origin; `done` of those it was given before are held now.
    fn handle_lease(&mut self, peer: PeerNumber, manifest: Digest, done: u32, coverage: &dyn Coverage) {
        let has_seeders = |_: &u32| self.complete_seeders(peer, manifest) >= LEASE_SEEDERS_ENOUGH;
        let pieces = coverage.pieces(&manifest).filter(|pieces| !has_seeders(pieces));
        let holds_all = self.members.sessions.get(&peer).is_some_and(|session| session.holds_all(manifest));
        let is_given = || self.members.sessions.iter().any(|(other, session)| *other != peer && session.may_give(manifest));
        let asked = Asked { peer, manifest, done, pieces, holds_all, is_given: &is_given };
        let granted = self.leases.handle_asked(self.now_ms, &asked);
        if let Some(session) = self.members.sessions.get(&peer) {
            self.lines.join(peer, manifest, &session.addr);
        }
        self.grant(granted);
    }

    fn grant(&mut self, granted: Vec<Granted>) {
        for Granted { peer, manifest, pieces } in granted {
            self.send(peer, TrackerToPeer::Share { manifest, pieces });
        }
    }

    /// Ready peers that hold all of a manifest and proved to somebody whom `peer` can believe that they give it, counted up to enough.
    fn complete_seeders(&self, peer: PeerNumber, manifest: Digest) -> usize {
        let network = self.members.network_of(Answerer::Peer(peer));
        let gives_all = |other: &PeerNumber| {
            let session = self.members.sessions.get(other).filter(|session| session.holds_all(manifest));
            session.is_some_and(|session| network.is_some_and(|network| session.standing.is_proven_to(network)))
        };
        self.candidates.ready_holders(manifest).filter(gives_all).take(LEASE_SEEDERS_ENOUGH).count()
    }

    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A number nobody has: 53 random bits meet one of 60,000 once in 150 billion draws, and 37 of them one of a million once in 130,000. Then the next is drawn.
    fn fresh_number(&mut self) -> PeerNumber {
        loop {
            let bits = self.random.next_u64();
            let number = self.server.map_or_else(|| PeerNumber::from_bits(bits), |server| server.peer(bits));
            if !self.members.sessions.contains_key(&number) && self.members.visits.known_as(number).is_none() {
                return number;
            }
        }
    }

    /// Queues an output. A host that does not drain them loses messages first and never a close.
    fn put(&mut self, output: TrackerOutput) {
        if self.outputs.len() >= OUTPUTS_MAX && !matches!(output, TrackerOutput::Close(..)) {
            self.totals.refused.outputs += 1;
            return;
        }
        self.outputs.push_back(output);
    }

    fn send(&mut self, peer: PeerNumber, message: TrackerToPeer) {
        self.put(TrackerOutput::Send(peer, message));
    }

    /// Tells a peer what came to nothing, where an honest one may be late rather than wrong. What it said may have ended its own session.
    fn warn(&mut self, peer: PeerNumber, code: ErrorCode, message: &str) {
        if !self.members.sessions.contains_key(&peer) {
            return;
        }
        self.totals.refused.messages += 1;
        self.send(peer, TrackerToPeer::Error { code, message: message.to_owned() });
    }

    /// Tells a peer what it did wrong; after too many mistakes its session is closed.
    fn refuse(&mut self, peer: PeerNumber, code: ErrorCode, message: &str) {
        self.warn(peer, code, message);
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        session.mistakes += 1;
        if session.mistakes > crate::limits::MISTAKES_MAX {
            self.close(peer, CloseReason::TooManyMistakes);
        }
    }
}
