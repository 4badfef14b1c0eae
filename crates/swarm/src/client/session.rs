//! The session of one visitor: what it says to the tracker, and what follows from that and from what it exchanges with others.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use viral_wire::limits::OFFERS_PER_PEER_MAX;
use viral_wire::signal::{ErrorCode, FaultReport, Offer, PeerToTracker, TrackerToPeer};
use viral_wire::{Digest, Frame, Piece, PieceId};

use super::config::PEERS_WANTED;
use super::counts::Totals;
use super::exchange::{Event, Exchange};
use super::leases::{LeaseOutput, Leases};
use super::manifests::{ArrivedPiece, KnownManifest, Named};
use super::peers::Introduction;
use super::report::{Giver, Report};
use super::search::{Search, SearchOutput};
use super::types::{Output, Refusal, SessionConfig};
use super::withheld::{Released, Withheld};
use crate::fetch::{Accepted, Fault, PeerKey, Progress, Source};

/// One visitor in a swarm. Drive it as [`client`](super) says.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    /// Whether the tracker was heard of since the last loss.
    live: bool,
    /// Offers that the tracker wants and did not get yet.
    offers_wanted: u8,
    /// Somebody who may have it is looked for before anything is fetched.
    awaits_peer: bool,
    exchange: Exchange,
    leases: Leases,
    report: Report,
    search: Search,
    withheld: Withheld,
    out: VecDeque<Output>,
}

impl Session {
    /// A visitor that came with these offers, at time 0.
    #[must_use]
    pub fn new(mut config: SessionConfig, offers: Vec<Offer>) -> Self {
        config.in_crowd &= config.meets;
        config.slots = if config.meets { config.slots } else { 0 };
        let in_crowd = config.in_crowd;
        let mut session = Self {
            live: false,
            offers_wanted: 0,
            awaits_peer: false,
            exchange: Exchange::new(&config, &offers),
            // Without offers nobody takes leases yet: the first one is asked for before anything else is known.
            leases: Leases::new(in_crowd, config.manifest.is_some() && offers.is_empty(), config.is_first),
            report: Report::new(in_crowd),
            search: Search::default(),
            withheld: Withheld::default(),
            out: VecDeque::new(),
            config,
        };
        session.dial(offers, true);
        session
    }

    /// The first messages of each session with the tracker. One of a crowd asks for peers at once: whoever finds any has the manifest from them. Who was told the
    /// manifest with a full answer asks for a lease with it.
    #[must_use]
    pub fn registration(&self) -> Vec<PeerToTracker> {
        let SessionConfig { ticket, slots, in_crowd, .. } = self.config;
        let manifest = self.exchange.manifests.wanted();
        let register = PeerToTracker::Register { page: self.config.page.clone(), manifest, ticket, slots };
        let is_new = in_crowd && manifest.is_none();
        let find = is_new.then(|| PeerToTracker::Find { manifest: None, count: u8::try_from(PEERS_WANTED).unwrap_or(1) });
        let lease = manifest.filter(|_| self.leases.is_asked()).map(|manifest| PeerToTracker::Share { manifest, done: 0 });
        [Some(register), find, lease].into_iter().flatten().collect()
    }

    /// How far the download is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.exchange.fetch.progress()
    }

    /// What was taken from whom and given so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        self.report.totals()
    }

    /// The page's manifest now.
    #[must_use]
    pub fn current(&self) -> Option<&KnownManifest> {
        self.exchange.manifests.current()
    }

    /// Open connections.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.exchange.peers.iter().filter(|(_, link)| link.opened).count()
    }

    /// When anything was learnt last, and when the first piece was verified, in milliseconds.
    #[must_use]
    pub fn advanced_at(&self) -> (u64, Option<u64>) {
        self.exchange.advanced_at
    }

    /// Whether [`Self::await_peer`] still looks for somebody.
    #[must_use]
    pub fn awaits_peer(&self) -> bool {
        self.awaits_peer
    }

    /// Looks for a peer though nothing is known to be missing yet, until the tracker has none to offer; or no longer.
    pub fn await_peer(&mut self, awaits: bool) {
        self.awaits_peer = awaits;
    }

    /// Fetches these pieces, each named once, in this order; `held` tells which are here already.
    pub fn add_pieces(&mut self, now: u64, pieces: &[Piece], held: impl Fn(&PieceId) -> bool) {
        self.at(now);
        self.exchange.add_pieces(pieces, held);
    }

    /// A fresh engine: what the old one fetches is of no interest any more, and it remembers only so many pieces.
    pub fn reset_fetch(&mut self, now: u64) {
        self.at(now);
        self.exchange.reset_fetch();
    }

    /// Forgets that pieces other than these are here.
    pub fn retain_held(&mut self, keep: impl Fn(&PieceId) -> bool) {
        self.exchange.serving.retain(keep);
    }

    /// Tells the tracker a last time what grew, and says goodbye to everybody.
    pub fn leave(&mut self, now: u64) {
        self.at(now);
        self.report_now();
        self.exchange.leave();
    }

    /// These pieces are here: no need to fetch them.
    pub fn handle_found(&mut self, now: u64, pieces: &[Piece]) {
        self.at(now);
        self.exchange.handle_found(pieces);
    }

    /// A piece cannot be read any more.
    pub fn handle_gone(&mut self, id: &PieceId) {
        self.exchange.serving.handle_gone(id);
    }

    /// There is no session with the tracker any more, or still none. Connections go on without it, and so does a crowd: what was granted is fetched, and what nobody gives for a while comes
    /// from the origin, until a new session grants more.
    pub fn handle_lost(&mut self, now: u64) {
        self.at(now);
        self.live = false;
        self.leases.handle_lost();
        self.withheld.handle_lost();
        self.renew_registration();
        self.out.push_back(Output::WithdrawOffers);
        self.offers_wanted = 0;
        self.awaits_peer = false;
        self.ask_if_alone();
    }

    /// A signal could not be sent: the socket is full.
    pub fn handle_unsent(&mut self, signal: &PeerToTracker) {
        if matches!(signal, PeerToTracker::Share { .. }) {
            self.leases.handle_unsent();
            self.drain_leases();
        }
        self.report.handle_unsent(signal);
    }

    /// The tracker says something.
    pub fn handle_signal(&mut self, now: u64, signal: TrackerToPeer) {
        self.at(now);
        self.live = true;
        match signal {
            TrackerToPeer::Welcome { offers_wanted, slots, up_bytes_per_s, up_bytes_per_day, .. } => {
                self.handle_welcome(offers_wanted, slots, up_bytes_per_s, up_bytes_per_day);
            }
            TrackerToPeer::Limits { slots, up_bytes_per_s, up_bytes_per_day } => {
                self.handle_limits(slots, up_bytes_per_s, up_bytes_per_day);
            }
            TrackerToPeer::Manifest { manifest, .. } => self.handle_named(manifest),
            TrackerToPeer::Answer { offer, peer: number, description, push, beyond } => {
                self.out.push_back(Output::Accept { offer, number, description, push, beyond });
            }
            TrackerToPeer::Relayed { tell } => self.withheld.handle_relayed(tell),
            TrackerToPeer::Peers { offers } => {
                self.awaits_peer &= !offers.is_empty();
                if !self.dial(offers, false) {
                    self.ask_if_alone();
                }
            }
            TrackerToPeer::OffersWanted { count } => {
                self.offers_wanted = self.offers_wanted.saturating_add(count);
                self.make_offers();
            }
            TrackerToPeer::Share { manifest, pieces } => self.handle_lease(manifest, pieces),
            // Only who reports what its page used is told what else was.
            TrackerToPeer::Used { .. } => {}
            TrackerToPeer::Dropped { reason } => self.out.push_back(Output::Refused(Refusal::Dropped(reason))),
            TrackerToPeer::Error { code, message } => {
                if code == ErrorCode::Unknown && self.exchange.manifests.wanted().is_none() {
                    self.out.push_back(Output::Refused(Refusal::Unknown(message)));
                }
            }
        }
    }

    /// Offers of an [`Output::Dial`] were answered: those that were of use.
    pub fn handle_dialled(&mut self, now: u64, dialled: &[(PeerKey, Introduction)]) {
        self.at(now);
        self.withheld.handle_dialled(now, dialled);
        for &(peer, from) in dialled {
            self.exchange.handle_answered(peer, from);
        }
        // Offers that came with the visit are no reason to give up waiting: nobody could be asked yet.
        if self.live {
            self.ask_if_alone();
        }
    }

    /// The answer of an [`Output::Accept`] became a connection.
    pub fn handle_accepted(&mut self, now: u64, peer: PeerKey, from: Introduction) {
        self.at(now);
        self.exchange.handle_answered(peer, from);
    }

    /// The answers that were to leave by post did.
    pub fn handle_posted(&mut self, now: u64) {
        self.at(now);
        self.withheld.handle_posted();
    }

    /// The answers that were to leave by post did not: nobody will come.
    pub fn handle_post_failed(&mut self, now: u64) {
        self.at(now);
        self.exchange.end_unopened();
    }

    /// A connection has a path, which its channels may yet fail to use.
    pub fn handle_path(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        self.exchange.peers.handle_path(peer);
    }

    /// Both channels of a connection opened.
    pub fn handle_open(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        self.exchange.handle_open(peer);
    }

    /// The other end of a connection is gone.
    pub fn handle_closed(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        self.exchange.end(peer, None);
    }

    /// Something came that is no frame.
    pub fn handle_malformed(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        self.exchange.fault(peer, Fault::Malformed);
    }

    /// A frame came.
    pub fn handle_frame(&mut self, now: u64, peer: PeerKey, frame: Frame) {
        self.at(now);
        self.exchange.handle_frame(peer, frame);
    }

    /// What the pieces channel of a connection has buffered, in bytes: when it ran low.
    pub fn handle_buffered(&mut self, now: u64, peer: PeerKey, bytes: u64) {
        self.at(now);
        self.exchange.serving.handle_buffered(self.exchange.now, peer, bytes);
    }

    /// A piece of `len` bytes, as it is encoded, was handed to the channel, which has `buffered` bytes now.
    pub fn handle_sent(&mut self, now: u64, peer: PeerKey, id: PieceId, len: u32, buffered: u64) {
        self.at(now);
        self.exchange.peers.handle_sent(self.exchange.now, peer);
        self.report.handle_sent(len.into());
        self.exchange.serving.handle_buffered(self.exchange.now, peer, buffered);
        self.exchange.serving.handle_sent(self.exchange.now, peer, id, len);
        self.report_soon();
    }

    /// A piece could not be sent.
    pub fn handle_piece_unsent(&mut self, now: u64, peer: PeerKey, id: PieceId) {
        self.at(now);
        self.exchange.serving.handle_unsent(self.exchange.now, peer, id);
    }

    /// A piece came from the origin: whether its bytes are worth decoding. Ask once per arrival.
    pub fn accept_from_origin(&mut self, id: PieceId) -> bool {
        matches!(self.exchange.fetch.accept(Source::Origin, id), Accepted::Take { .. })
    }

    /// A piece was decoded and compared with its digest. True if it is genuine and new: store it, then call [`Self::handle_kept`].
    pub fn handle_verified(&mut self, now: u64, source: Source, id: PieceId, verified: bool) -> bool {
        self.at(now);
        self.exchange.handle_verified(source, id, verified)
    }

    /// A piece was stored; `len` are its raw bytes.
    pub fn handle_kept(&mut self, now: u64, source: Source, id: PieceId, len: u32) {
        self.at(now);
        let giver = self.exchange.handle_kept(source, id, len);
        self.report.handle_kept(giver, len.into());
        if let Giver::Peer(Some(number)) = giver {
            self.report.handle_rate(number, self.exchange.fetch.rate_of(source));
        }
        self.report_soon();
    }

    /// A request to the origin for these pieces is over. Those that are not here failed.
    pub fn handle_origin_served(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        self.exchange.handle_origin_served(ids);
    }

    /// The origin gave a manifest that matches its name, or failed to.
    pub fn handle_manifest(&mut self, now: u64, digest: Digest, blob: Option<Vec<u8>>) {
        self.at(now);
        self.exchange.manifests.handle_origin(digest);
        if let Some(blob) = blob {
            self.exchange.handle_manifest(digest, blob);
        }
    }

    /// What is to be fetched after an [`Output::TakeUp`] was named.
    pub fn handle_taken_up(&mut self, now: u64) {
        self.at(now);
        self.exchange.handle_taken_up();
        self.renew_registration();
        self.report_soon();
        self.look_for_peers();
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.at(now);
        self.withheld.handle_timeout(now);
        self.exchange.handle_timeout();
        if self.report.poll_timeout().is_some_and(|at| at <= self.exchange.now) {
            self.report_now();
        }
        let (met, misses) = (self.exchange.peers.met(self.exchange.now), self.misses_something());
        self.search.handle_timeout(self.exchange.now, met, misses);
    }

    /// The next piece that came from a peer and is wanted: decode it and compare it with its digest, then [`Self::handle_verified`]. Ask until `None` after each frame,
    /// before anything else is heard of its sender, so that a liar has no time to leave.
    pub fn poll_piece(&mut self) -> Option<ArrivedPiece> {
        self.exchange.poll_piece()
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            if let Some(Released { peer, candidates }) = self.withheld.poll() {
                return Some(Output::Reach { peer, candidates });
            }
            if let Some(event) = self.exchange.poll() {
                self.handle_event(event);
            } else if let Some(SearchOutput::Find { count }) = self.search.poll() {
                self.signal(PeerToTracker::Find { manifest: self.exchange.manifests.wanted(), count });
            } else {
                return None;
            }
        }
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let parts = [self.exchange.poll_timeout(), self.report.poll_timeout(), self.search.poll_timeout(), self.withheld.poll_timeout()];
        parts.into_iter().flatten().min()
    }

    fn at(&mut self, now: u64) {
        self.exchange.at(now);
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Output(output) => {
                if matches!(output, Output::TakeUp { .. }) {
                    self.begin_leasing();
                }
                if let Output::Close { peer, .. } = output {
                    self.withheld.handle_closed(peer);
                }
                let failed = matches!(output, Output::Failed(_));
                self.out.push_back(output);
                if failed {
                    self.handle_taken_up(self.exchange.now);
                }
            }
            Event::Opened { number: peer, offer, ms } => self.signal(PeerToTracker::Opened { peer, offer, ms }),
            Event::Faulted { number: peer, fault } => self.signal(PeerToTracker::Report(FaultReport { peer, fault })),
            Event::Forged => self.report.handle_forged(),
            Event::Closed { number: peer, offer, cause } => {
                self.signal(PeerToTracker::Closed { peer, offer, cause });
                self.look_for_peers();
                self.ask_if_alone();
            }
            Event::AskLease { done } => {
                if let Some(digest) = self.current().map(|known| known.digest) {
                    self.leases.handle_wanted(digest, done, self.live);
                    self.drain_leases();
                }
            }
            Event::NeedPeers => self.look_for_peers(),
            Event::Done => self.report_now(),
        }
    }

    fn handle_welcome(&mut self, offers_wanted: u8, slots: u8, up_bytes_per_s: u32, up_bytes_per_day: u64) {
        self.offers_wanted = offers_wanted;
        self.handle_limits(slots, up_bytes_per_s, up_bytes_per_day);
        if self.current().is_some() {
            self.begin_leasing();
        }
        self.leases.handle_welcome();
        self.drain_leases();
        self.report.handle_welcome();
        self.report_now();
        self.look_for_peers();
    }

    /// The tracker says how much is to be given.
    fn handle_limits(&mut self, slots: u8, up_bytes_per_s: u32, up_bytes_per_day: u64) {
        // Of two caps the lower one; 0 is none.
        let caps = [self.config.up_bytes_per_s, up_bytes_per_s.into()];
        let cap = caps.into_iter().filter(|cap| *cap > 0).min().unwrap_or(0);
        self.exchange.serving.handle_limits(self.exchange.now, slots, cap, up_bytes_per_day);
    }

    /// The tracker names the manifest that holds for the page now.
    fn handle_named(&mut self, manifest: Digest) {
        let Some(Named { renamed, awaited }) = self.exchange.manifests.handle_named(self.exchange.now, manifest) else { return };
        if renamed && self.leases.handle_renamed() {
            self.renew_registration();
        }
        if awaited {
            // Who finds nobody asks for a lease: see [`Self::ask_if_alone`].
            self.report_now();
            self.look_for_peers();
        }
    }

    fn handle_lease(&mut self, manifest: Digest, places: Vec<u32>) {
        if self.exchange.manifests.get(&manifest).is_some() {
            self.leases.handle_given(manifest, places);
        } else if self.exchange.manifests.sought() == Some(manifest) && self.leases.handle_early(places) {
            self.ask_if_alone();
        }
        self.drain_leases();
    }

    /// Whether anything is to be dialled.
    fn dial(&mut self, mut offers: Vec<Offer>, by_post: bool) -> bool {
        offers.truncate(if self.config.meets { self.exchange.peers.room() } else { 0 });
        let is_any = !offers.is_empty();
        if is_any {
            let tell = self.withheld.hold(&mut offers, by_post);
            self.out.push_back(Output::Dial { offers, by_post, tell });
        }
        is_any
    }

    /// The pieces are known, and the tracker grants leases of them, or will. Not before, or the wait for the manifest would count as a crowd that gives nothing.
    fn begin_leasing(&mut self) {
        self.exchange.fetch.handle_crowd(self.exchange.now, self.leases.is_leasing(self.live));
    }

    /// One of a crowd with nobody to wait for asks the tracker for its first lease, or the origin for the manifest.
    fn ask_if_alone(&mut self) {
        let manifests = &self.exchange.manifests;
        if let Some(sought) = manifests.sought().filter(|_| manifests.poll_timeout().is_some() && self.exchange.peers.is_empty()) {
            self.leases.handle_alone(sought, self.live);
            self.drain_leases();
        }
    }

    fn drain_leases(&mut self) {
        while let Some(output) = self.leases.poll() {
            match output {
                LeaseOutput::Ask { manifest, done } => self.signal(PeerToTracker::Share { manifest, done }),
                LeaseOutput::Take { manifest, places } => self.exchange.take_lease(&manifest, &places),
                LeaseOutput::AskManifest => self.exchange.manifests.ask(self.exchange.now),
            }
        }
    }

    /// Leaves as many offers as the tracker wants, once there is something to give: in a crowd there soon will be.
    fn make_offers(&mut self) {
        if self.config.slots == 0 || self.exchange.serving.is_spent() || !self.exchange.will_hold() || self.exchange.peers.room() == 0 {
            return;
        }
        let count = std::mem::take(&mut self.offers_wanted).min(OFFERS_PER_PEER_MAX as u8);
        if count > 0 {
            self.out.push_back(Output::MakeOffers { count });
        }
    }

    /// Something grew: the tracker hears of it soon.
    fn report_soon(&mut self) {
        self.report.handle_growth(self.exchange.now, &self.exchange.fetch.progress());
    }

    /// Tells the tracker what is held and what grew.
    fn report_now(&mut self) {
        self.report.handle_report(self.live, || self.exchange.held());
        while let Some(signal) = self.report.poll() {
            self.signal(signal);
        }
        if self.live {
            self.make_offers();
        }
    }

    /// Looks for peers, if there are too few for what is missing, or may be.
    fn look_for_peers(&mut self) {
        let (met, misses) = (self.exchange.peers.met(self.exchange.now), self.misses_something());
        self.search.handle_change(self.exchange.now, met, misses);
    }

    fn misses_something(&self) -> bool {
        self.config.meets && (self.awaits_peer || self.exchange.misses_something())
    }

    fn renew_registration(&mut self) {
        self.out.push_back(Output::Register(self.registration()));
    }

    /// Sends a signal, if there is a session.
    fn signal(&mut self, signal: PeerToTracker) {
        if self.live {
            self.out.push_back(Output::Signal(signal));
        }
    }
}
