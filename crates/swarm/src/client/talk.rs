//! The talk with the tracker: what is said to it and when, and what follows from what it says and from what is exchanged with others.

use std::collections::VecDeque;

use viral_wire::Digest;
use viral_wire::limits::OFFERS_PER_PEER_MAX;
use viral_wire::signal::{ErrorCode, FaultReport, Offer, PeerToTracker, TrackerToPeer};

use super::config::PEERS_WANTED;
use super::exchange::{Event, Exchange};
use super::leases::{LeaseOutput, Leases};
use super::manifests::Named;
use super::peers::Introduction;
use super::report::Report;
use super::search::Search;
use super::types::{Output, Refusal, SessionConfig};
use super::withheld::Withheld;
use crate::fetch::PeerKey;

/// What one visitor says. Its exchange with others is not its own: whoever drives both hands it in.
#[derive(Debug)]
pub(super) struct Talk {
    config: SessionConfig,
    /// Whether the tracker was heard of since the last loss.
    live: bool,
    /// Offers that the tracker wants and did not get yet.
    offers_wanted: u8,
    /// Somebody who may have it is looked for before anything is fetched.
    pub(super) awaits_peer: bool,
    leases: Leases,
    pub(super) report: Report,
    pub(super) search: Search,
    pub(super) withheld: Withheld,
    pub(super) out: VecDeque<Output>,
}

impl Talk {
    /// The talk of a visitor that came with these offers, at time 0.
    pub(super) fn new(config: SessionConfig, exchange: &Exchange, offers: Vec<Offer>) -> Self {
        let in_crowd = config.in_crowd;
        let mut talk = Self {
            live: false,
            offers_wanted: 0,
            awaits_peer: false,
            // Without offers nobody takes leases yet: the first one is asked for before anything else is known.
            leases: Leases::new(in_crowd, config.manifest.is_some() && offers.is_empty(), config.is_first),
            report: Report::new(in_crowd),
            search: Search::default(),
            withheld: Withheld::default(),
            out: VecDeque::new(),
            config,
        };
        talk.dial(exchange, offers, true);
        talk
    }

    /// The first messages of each session with the tracker. One of a crowd asks for peers at once: whoever finds any has the manifest from them. Who was told the
    /// manifest with a full answer asks for a lease with it.
    pub(super) fn registration(&self, exchange: &Exchange) -> Vec<PeerToTracker> {
        let SessionConfig { ticket, slots, in_crowd, .. } = self.config;
        let manifest = exchange.manifests.wanted();
        let register = PeerToTracker::Register { page: self.config.page.clone(), manifest, ticket, slots };
        let is_new = in_crowd && manifest.is_none();
        let find = is_new.then(|| PeerToTracker::Find { manifest: None, count: u8::try_from(PEERS_WANTED).unwrap_or(1) });
        let lease = manifest.filter(|_| self.leases.is_asked()).map(|manifest| PeerToTracker::Share { manifest, done: 0 });
        [Some(register), find, lease].into_iter().flatten().collect()
    }

    /// There is no session with the tracker any more, or still none.
    pub(super) fn handle_lost(&mut self, exchange: &mut Exchange) {
        self.live = false;
        self.leases.handle_lost();
        self.withheld.handle_lost();
        self.renew_registration(exchange);
        self.out.push_back(Output::WithdrawOffers);
        self.offers_wanted = 0;
        self.awaits_peer = false;
        self.ask_if_alone(exchange);
    }

    /// A signal could not be sent: the socket is full.
    pub(super) fn handle_unsent(&mut self, exchange: &mut Exchange, signal: &PeerToTracker) {
        if matches!(signal, PeerToTracker::Share { .. }) {
            self.leases.handle_unsent();
            self.drain_leases(exchange);
        }
        self.report.handle_unsent(signal);
    }

    /// The tracker says something.
    pub(super) fn handle_signal(&mut self, exchange: &mut Exchange, signal: TrackerToPeer) {
        self.live = true;
        match signal {
            TrackerToPeer::Welcome { offers_wanted, slots, up_bytes_per_s, up_bytes_per_day, .. } => {
                self.handle_welcome(exchange, offers_wanted, slots, up_bytes_per_s, up_bytes_per_day);
            }
            TrackerToPeer::Limits { slots, up_bytes_per_s, up_bytes_per_day } => {
                self.handle_limits(exchange, slots, up_bytes_per_s, up_bytes_per_day);
            }
            TrackerToPeer::Manifest { manifest, .. } => self.handle_named(exchange, manifest),
            TrackerToPeer::Answer { offer, peer: number, description, push, beyond } => {
                self.out.push_back(Output::Accept { offer, number, description, push, beyond });
            }
            TrackerToPeer::Relayed { tell } => self.withheld.handle_relayed(tell),
            TrackerToPeer::Peers { offers } => {
                self.awaits_peer &= !offers.is_empty();
                if !self.dial(exchange, offers, false) {
                    self.ask_if_alone(exchange);
                }
            }
            TrackerToPeer::OffersWanted { count } => {
                self.offers_wanted = self.offers_wanted.saturating_add(count);
                self.make_offers(exchange);
            }
            TrackerToPeer::Share { manifest, pieces } => self.handle_lease(exchange, manifest, pieces),
            // Only who reports what its page used is told what else was.
            TrackerToPeer::Used { .. } => {}
            TrackerToPeer::Dropped { reason } => self.out.push_back(Output::Refused(Refusal::Dropped(reason))),
            TrackerToPeer::Error { code, message } => {
                if code == ErrorCode::Unknown && exchange.manifests.wanted().is_none() {
                    self.out.push_back(Output::Refused(Refusal::Unknown(message)));
                }
            }
        }
    }

    /// Offers of an [`Output::Dial`] were answered.
    pub(super) fn handle_dialled(&mut self, exchange: &mut Exchange, now: u64, dialled: &[(PeerKey, Introduction)]) {
        self.withheld.handle_dialled(now, dialled);
        for &(peer, from) in dialled {
            exchange.handle_answered(peer, from);
        }
        // Offers that came with the visit are no reason to give up waiting: nobody could be asked yet.
        if self.live {
            self.ask_if_alone(exchange);
        }
    }

    /// What is to be fetched after an [`Output::TakeUp`] was named.
    pub(super) fn handle_taken_up(&mut self, exchange: &mut Exchange) {
        exchange.handle_taken_up();
        self.renew_registration(exchange);
        self.report_soon(exchange);
        self.look_for_peers(exchange);
    }

    pub(super) fn handle_event(&mut self, exchange: &mut Exchange, event: Event) {
        match event {
            Event::Output(output) => {
                if matches!(output, Output::TakeUp { .. }) {
                    self.begin_leasing(exchange);
                }
                if let Output::Close { peer, .. } = output {
                    self.withheld.handle_closed(peer);
                }
                let failed = matches!(output, Output::Failed(_));
                self.out.push_back(output);
                if failed {
                    self.handle_taken_up(exchange);
                }
            }
            Event::Opened { number: peer, offer, ms } => self.signal(PeerToTracker::Opened { peer, offer, ms }),
            Event::Faulted { number: peer, fault } => self.signal(PeerToTracker::Report(FaultReport { peer, fault })),
            Event::Forged => self.report.handle_forged(),
            Event::Closed { number: peer, offer, cause } => {
                self.signal(PeerToTracker::Closed { peer, offer, cause });
                self.look_for_peers(exchange);
                self.ask_if_alone(exchange);
            }
            Event::AskLease { done } => {
                if let Some(digest) = exchange.manifests.current().map(|known| known.digest) {
                    self.leases.handle_wanted(digest, done, self.live);
                    self.drain_leases(exchange);
                }
            }
            Event::NeedPeers => self.look_for_peers(exchange),
            Event::Done => self.report_now(exchange),
        }
    }

    fn handle_welcome(&mut self, exchange: &mut Exchange, offers_wanted: u8, slots: u8, up_bytes_per_s: u32, up_bytes_per_day: u64) {
        self.offers_wanted = offers_wanted;
        self.handle_limits(exchange, slots, up_bytes_per_s, up_bytes_per_day);
        if exchange.manifests.current().is_some() {
            self.begin_leasing(exchange);
        }
        self.leases.handle_welcome();
        self.drain_leases(exchange);
        self.report.handle_welcome();
        self.report_now(exchange);
        self.look_for_peers(exchange);
    }

    /// The tracker says how much is to be given.
    fn handle_limits(&mut self, exchange: &mut Exchange, slots: u8, up_bytes_per_s: u32, up_bytes_per_day: u64) {
        // Of two caps the lower one; 0 is none.
        let caps = [self.config.up_bytes_per_s, up_bytes_per_s.into()];
        let cap = caps.into_iter().filter(|cap| *cap > 0).min().unwrap_or(0);
        exchange.serving.handle_limits(exchange.now, slots, cap, up_bytes_per_day);
    }

    /// The tracker names the manifest that holds for the page now.
    fn handle_named(&mut self, exchange: &mut Exchange, manifest: Digest) {
        let Some(Named { renamed, awaited }) = exchange.manifests.handle_named(exchange.now, manifest) else { return };
        if renamed && self.leases.handle_renamed() {
            self.renew_registration(exchange);
        }
        if awaited {
            // Who finds nobody asks for a lease: see [`Self::ask_if_alone`].
            self.report_now(exchange);
            self.look_for_peers(exchange);
        }
    }

    fn handle_lease(&mut self, exchange: &mut Exchange, manifest: Digest, places: Vec<u32>) {
        if exchange.manifests.get(&manifest).is_some() {
            self.leases.handle_given(manifest, places);
        } else if exchange.manifests.sought() == Some(manifest) && self.leases.handle_early(places) {
            self.ask_if_alone(exchange);
        }
        self.drain_leases(exchange);
    }

    /// Whether anything is to be dialled.
    fn dial(&mut self, exchange: &Exchange, mut offers: Vec<Offer>, by_post: bool) -> bool {
        offers.truncate(if self.config.meets { exchange.peers.room() } else { 0 });
        let is_any = !offers.is_empty();
        if is_any {
            let tell = self.withheld.hold(&mut offers, by_post);
            self.out.push_back(Output::Dial { offers, by_post, tell });
        }
        is_any
    }

    /// The pieces are known, and the tracker grants leases of them, or will. Not before, or the wait for the manifest would count as a crowd that gives nothing.
    fn begin_leasing(&mut self, exchange: &mut Exchange) {
        exchange.fetch.handle_crowd(exchange.now, self.leases.is_leasing(self.live));
    }

    /// One of a crowd with nobody to wait for asks the tracker for its first lease, or the origin for the manifest.
    fn ask_if_alone(&mut self, exchange: &mut Exchange) {
        let manifests = &exchange.manifests;
        if let Some(sought) = manifests.sought().filter(|_| manifests.poll_timeout().is_some() && exchange.peers.is_empty()) {
            self.leases.handle_alone(sought, self.live);
            self.drain_leases(exchange);
        }
    }

    fn drain_leases(&mut self, exchange: &mut Exchange) {
        while let Some(output) = self.leases.poll() {
            match output {
                LeaseOutput::Ask { manifest, done } => self.signal(PeerToTracker::Share { manifest, done }),
                LeaseOutput::Take { manifest, places } => exchange.take_lease(&manifest, &places),
                LeaseOutput::AskManifest => exchange.manifests.ask(exchange.now),
            }
        }
    }

    /// Leaves as many offers as the tracker wants, once there is something to give: in a crowd there soon will be.
    fn make_offers(&mut self, exchange: &Exchange) {
        if self.config.slots == 0 || exchange.serving.is_spent() || !exchange.will_hold() || exchange.peers.room() == 0 {
            return;
        }
        let count = std::mem::take(&mut self.offers_wanted).min(OFFERS_PER_PEER_MAX as u8);
        if count > 0 {
            self.out.push_back(Output::MakeOffers { count });
        }
    }

    /// Something grew: the tracker hears of it soon.
    pub(super) fn report_soon(&mut self, exchange: &Exchange) {
        self.report.handle_growth(exchange.now, &exchange.fetch.progress());
    }

    /// Tells the tracker what is held and what grew.
    pub(super) fn report_now(&mut self, exchange: &Exchange) {
        self.report.handle_report(self.live, || exchange.held());
        while let Some(signal) = self.report.poll() {
            self.signal(signal);
        }
        if self.live {
            self.make_offers(exchange);
        }
    }

    /// Looks for peers, if there are too few for what is missing, or may be.
    pub(super) fn look_for_peers(&mut self, exchange: &Exchange) {
        let (met, misses) = (exchange.peers.met(exchange.now), self.misses_something(exchange));
        self.search.handle_change(exchange.now, met, misses);
    }

    pub(super) fn misses_something(&self, exchange: &Exchange) -> bool {
        self.config.meets && (self.awaits_peer || exchange.misses_something())
    }

    fn renew_registration(&mut self, exchange: &Exchange) {
        self.out.push_back(Output::Register(self.registration(exchange)));
    }

    /// Sends a signal, if there is a session.
    pub(super) fn signal(&mut self, signal: PeerToTracker) {
        if self.live {
            self.out.push_back(Output::Signal(signal));
        }
    }
}
