//! The tracker: who is there, who holds what, who meets whom. It carries no content and relays only between peers that it matched.
//!
//! Drive it: call one `handle_*` or [`Tracker::offers_for`], drain [`Tracker::poll`] until `None`, then sleep until [`Tracker::poll_timeout`]
//! and call [`Tracker::handle_timeout`]. Time is an argument in milliseconds and never decreases.
//!
//! The life of an offer: a seeder leaves it (*ready*) → it is given to a leecher (*reserved*, for a while) → that leecher answers, it leaves the
//! pool for good and its slot is taken (*answered*, *opened*) → the connection ends and the slot is free. A reservation that lapses makes
//! the offer ready again; the leecher may still answer it as long as nobody else was given it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
};

use viral_wire::{
    Digest, Ticket,
    signal::{ErrorCode, PeerNumber, TrackerToPeer},
};

use crate::{limits::OUTPUTS_MAX, lineage::Lineage, places::Places, random::Random};

pub use answers::{AnswerError, Answerer};
pub use config::TrackerConfig;
pub use matching::Seeking;
pub use output::{CloseReason, Output};
pub use reports::VisitError;
pub use stats::{Matches, Refused, Reported, TrackerStats};

use self::{
    pool::Pool,
    session::Session,
    timers::{Timer, Timers},
    visit::ThinVisit,
};

mod answers;
mod config;
mod connections;
mod leecher;
mod matching;
mod membership;
mod messages;
mod offers;
mod output;
mod pool;
mod reports;
mod session;
mod shares;
mod standing;
mod stats;
mod timers;
mod visit;

#[cfg(test)]
mod scenarios;

/// Where a visitor is, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr {
    /// The address it comes from.
    pub public: IpAddr,
    /// What to put in place of `<uuid>.local` in its descriptions, if the operator's rule allows that for this visitor.
    pub rewrite_to: Option<IpAddr>,
    /// The browser, as far as its cookie tells: two visits of one are never introduced to each other.
    pub browser: Option<u64>,
}

impl ClientAddr {
    /// Whether both are known to be one browser.
    fn is_same_browser(&self, other: &Self) -> bool {
        self.browser.is_some() && self.browser == other.browser
    }
}

/// The tracker of one site.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    random: Random,
    now_ms: u64,
    sessions: BTreeMap<PeerNumber, Session>,
    session_places: Places<PeerNumber>,
    /// The sessions of each browser that is known.
    browsers: BTreeSet<(u64, PeerNumber)>,
    visits: BTreeMap<Ticket, ThinVisit>,
    /// Visits without a session.
    visit_places: Places<Ticket>,
    /// The numbers under which seeders know visitors that have no session.
    aliases: BTreeMap<PeerNumber, Ticket>,
    /// Pages with at least one registered session.
    pages: BTreeMap<String, Page>,
    pool: Pool,
    /// See [`Self::readied`].
    readied: u64,
    timers: Timers,
    shares: shares::Shares,
    witnesses: BTreeMap<IpAddr, reports::Witness>,
    /// Sites of forgers that were dropped, and until when they are remembered.
    suspects: BTreeMap<IpAddr, u64>,
    totals: stats::Totals,
    lineage: Lineage,
    outputs: VecDeque<Output>,
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
            random: Random::new(seed),
            now_ms: 0,
            sessions: BTreeMap::new(),
            session_places: Places::default(),
            browsers: BTreeSet::new(),
            visits: BTreeMap::new(),
            visit_places: Places::default(),
            aliases: BTreeMap::new(),
            pages: BTreeMap::new(),
            pool: Pool::default(),
            readied: 0,
            timers: Timers::default(),
            shares: shares::Shares::default(),
            witnesses: BTreeMap::new(),
            suspects: BTreeMap::new(),
            totals: stats::Totals::default(),
            lineage: Lineage::default(),
            outputs: VecDeque::new(),
            serial: 0,
        }
    }

    /// What the host must do next, if anything.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] must be called at the latest, in milliseconds; `None` while nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Lets everything that is due at `now_ms` lapse.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.advance(now_ms);
        while let Some(timer) = self.timers.pop_due(self.now_ms) {
            match timer {
                Timer::Register(peer) => self.close(peer, CloseReason::NeverRegistered),
                Timer::Reservation(peer, offer) => self.lapse_reservation(peer, offer),
                Timer::OfferAge(peer, offer) => self.expire_offer(peer, offer),
                Timer::Open(peer, offer) => self.handle_never_opened(peer, offer),
                Timer::Rested(peer) => self.handle_rested(peer),
                Timer::Ticket(ticket) => self.expire_visit(ticket),
                Timer::Share(peer) => self.handle_share_late(peer),
            }
        }
    }

    /// How often a peer may have become one to be introduced, by its room or by what it holds: whoever waits for one looks again when this grew.
    #[must_use]
    pub fn readied(&self) -> u64 {
        self.readied
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

    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A number nobody has: 53 random bits meet one of 60,000 once in 150 billion draws, and then the next is drawn.
    fn fresh_number(&mut self) -> PeerNumber {
        loop {
            let number = PeerNumber::from_bits(self.random.next_u64());
            if !self.sessions.contains_key(&number) && !self.aliases.contains_key(&number) {
                return number;
            }
        }
    }

    /// Queues an output. A host that does not drain them loses messages first and never a close.
    fn put(&mut self, output: Output) {
        if self.outputs.len() >= OUTPUTS_MAX && !matches!(output, Output::Close(..)) {
            self.totals.refused.outputs += 1;
            return;
        }
        self.outputs.push_back(output);
    }

    fn send(&mut self, peer: PeerNumber, message: TrackerToPeer) {
        self.put(Output::Send(peer, message));
    }

    /// Tells a peer what came to nothing, where an honest one may be late rather than wrong. What it said may have ended its own session.
    fn warn(&mut self, peer: PeerNumber, code: ErrorCode, message: &str) {
        if !self.sessions.contains_key(&peer) {
            return;
        }
        self.totals.refused.messages += 1;
        self.send(peer, TrackerToPeer::Error { code, message: message.to_owned() });
    }

    /// Tells a peer what it did wrong; after too many mistakes its session is closed.
    fn refuse(&mut self, peer: PeerNumber, code: ErrorCode, message: &str) {
        self.warn(peer, code, message);
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        session.mistakes += 1;
        if session.mistakes > crate::limits::MISTAKES_MAX {
            self.close(peer, CloseReason::TooManyMistakes);
        }
    }
}
