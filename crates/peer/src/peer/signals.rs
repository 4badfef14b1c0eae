//! What this peer says to the tracker and hears from it.

use std::time::{Duration, Instant};

use viral_swarm::fetch::Progress;
use viral_wire::limits::OFFERS_PER_LEECHER_MAX;
use viral_wire::signal::{DropReason, ErrorCode, PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Digest, Piece, PieceId};

use super::Peer;
use crate::limits::{CROWD_MANIFEST_WAIT_MS, CROWD_REPORT_MS, DIAL_HOPED_MS, FIND_MS, FIND_MS_MAX, PEERS_WANTED, REPORT_MS};
use crate::link::Link;
use crate::tracker_client::TrackerEvent;

/// The lease that is asked for before the manifest is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EarlyLease {
    /// Not asked for yet.
    Unasked,
    /// Asked for, or about to be with the registration.
    Asked,
    /// Places in the manifest.
    Given(Vec<u32>),
    /// The engine asks by itself.
    Over,
}

impl Peer {
    /// The first messages of each session. One of a crowd asks for peers at once: whoever finds any has the manifest from them. Who was told
    /// the manifest with a full answer asks for a lease with it.
    pub(super) fn registration(&self) -> Vec<PeerToTracker> {
        let manifest = self.wanted();
        let register = PeerToTracker::Register { page: self.page.clone(), manifest, ticket: self.ticket, slots: self.slots };
        let is_new = self.in_crowd && manifest.is_none();
        let find = is_new.then(|| PeerToTracker::Find { manifest: None, count: u8::try_from(PEERS_WANTED).unwrap_or(1) });
        let lease = manifest.filter(|_| self.early_lease == EarlyLease::Asked).map(|manifest| PeerToTracker::Share { manifest, done: 0 });
        [Some(register), find, lease].into_iter().flatten().collect()
    }

    /// The next session begins with what holds now.
    pub(super) fn renew_registration(&self) {
        if let Some(tracker) = &self.tracker {
            tracker.set_register(self.registration());
        }
    }

    /// Sends a signal, if there is a session.
    pub(super) fn signal(&self, signal: PeerToTracker) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.send(signal))
    }

    pub(super) fn handle_tracker(&mut self, event: TrackerEvent) {
        match event {
            TrackerEvent::Signal(signal) => self.handle_signal(*signal),
            TrackerEvent::Lost(reason) => {
                // Nobody grants leases any more.
                self.early_lease = EarlyLease::Over;
                self.renew_registration();
                self.fetch.handle_crowd(self.now(), false);
                // Offers left with a session that is gone cannot be answered; connections go on without it.
                self.links.withdraw_offers();
                self.offers_wanted = 0;
                self.awaits_peer = false;
                self.ask_if_alone();
                self.lost = Some(reason);
            }
        }
    }

    fn handle_signal(&mut self, signal: TrackerToPeer) {
        match signal {
            TrackerToPeer::Welcome { offers_wanted, slots, up_bytes_per_s, .. } => {
                self.lost = None;
                self.offers_wanted = offers_wanted;
                let own = self.up.map_or(u64::MAX, |rate| rate.0);
                let cap = if up_bytes_per_s == 0 { own } else { own.min(up_bytes_per_s.into()) };
                self.upload.handle_limits(self.now(), slots.min(self.slots).into(), if cap == u64::MAX { 0 } else { cap });
                if self.manifests.current().is_some() {
                    self.begin_leasing();
                }
                // What is held is new to a new session.
                self.held_reported = None;
                self.report();
                self.look_for_peers();
            }
            TrackerToPeer::Manifest { manifest, .. } => self.handle_manifest_named(manifest),
            TrackerToPeer::Answer { offer, peer, description, push } => {
                if let Some(key) = self.links.accept(Instant::now(), offer, peer, &description)
                    && let Some(link) = self.links.get(key)
                {
                    link.push = push;
                }
            }
            TrackerToPeer::Peers { offers } => {
                self.awaits_peer &= !offers.is_empty();
                let answers = self.dial(offers);
                self.ask_if_alone();
                if !answers.is_empty() {
                    self.signal(PeerToTracker::Answers { answers });
                }
            }
            TrackerToPeer::OffersWanted { count } => {
                self.offers_wanted = self.offers_wanted.saturating_add(count);
                self.make_offers();
            }
            TrackerToPeer::Share { manifest, pieces } if self.manifests.get(&manifest).is_none() => {
                if self.sought == Some(manifest) {
                    let is_given = !pieces.is_empty();
                    self.early_lease = EarlyLease::Given(pieces);
                    if is_given {
                        self.ask_manifest();
                    } else {
                        self.ask_if_alone();
                    }
                }
            }
            TrackerToPeer::Share { manifest, pieces } => {
                self.early_lease = EarlyLease::Over;
                self.take_lease(&manifest, &pieces);
            }
            // Only who reports what its page used is told what else was.
            TrackerToPeer::Used { .. } => {}
            TrackerToPeer::Dropped { reason } => {
                self.refused = Some(match reason {
                    DropReason::Forged => "the tracker dropped this peer because others reported forged pieces from it".to_owned(),
                    DropReason::Version => "the server is of another version; update viral".to_owned(),
                    DropReason::Overload => "the server sheds load".to_owned(),
                });
            }
            TrackerToPeer::Error { code, message } => {
                tracing::debug!(?code, message, "the tracker refuses");
                if code == ErrorCode::Unknown && self.wanted().is_none() {
                    self.refused = Some(message);
                }
            }
        }
    }

    /// The tracker names the manifest that holds for the page now.
    fn handle_manifest_named(&mut self, manifest: Digest) {
        // What came with a full answer may be outdated by now. Who came with a ticket stays with what its visit named.
        let is_first = self.manifests.current().is_none() && self.ticket.is_none();
        if !self.takes_page || !(is_first || self.follows) || self.wanted() == Some(manifest) {
            return;
        }
        if self.sought.replace(manifest).is_some() && self.early_lease != EarlyLease::Over {
            self.early_lease = EarlyLease::Unasked;
            self.renew_registration();
        }
        if self.in_crowd && is_first {
            // Somebody who came a moment before may have it by now; who finds nobody asks for a lease: see [`Self::ask_if_alone`].
            self.manifest_at = Some(self.now() + CROWD_MANIFEST_WAIT_MS);
            self.report();
            self.look_for_peers();
        } else {
            self.ask_manifest();
        }
    }

    /// The pieces at these places of a manifest are ours to take from the origin.
    fn take_lease(&mut self, manifest: &Digest, pieces: &[u32]) {
        let Some(known) = self.manifests.get(manifest) else { return };
        let ids: Vec<PieceId> = pieces.iter().filter_map(|&at| known.pieces.get(at as usize)).map(Piece::id).collect();
        self.fetch.handle_lease(self.now(), &ids);
    }

    /// The pieces are known, and the tracker grants leases of them, or will once there is a session that the first lease is asked for in; the loss of that ends it. Not
    /// before, or the wait for the manifest would count as a crowd that gives nothing.
    pub(super) fn begin_leasing(&mut self) {
        let is_leasing = self.in_crowd
            && (self.early_lease == EarlyLease::Asked || self.tracker.as_ref().is_some_and(crate::tracker_client::TrackerClient::is_live));
        self.fetch.handle_crowd(self.now(), is_leasing);
    }

    /// One of a crowd with nobody to wait for asks the tracker for its first lease, and the origin for the manifest once it is given one: who has to wait for a lease
    /// came after others, who will have the manifest sooner than the origin could send it once more.
    pub(super) fn ask_if_alone(&mut self) {
        let Some(manifest) = self.sought.filter(|_| self.in_crowd && self.manifest_at.is_some() && self.links.answered().count() == 0)
        else {
            return;
        };
        if self.early_lease == EarlyLease::Unasked && self.signal(PeerToTracker::Share { manifest, done: 0 }) {
            self.early_lease = EarlyLease::Asked;
        }
        if self.early_lease != EarlyLease::Asked {
            self.ask_manifest();
        }
    }

    /// The engine wants a lease.
    pub(super) fn ask_lease(&mut self, done: u32) {
        let Some(manifest) = self.manifests.current().map(|known| known.digest) else { return };
        match std::mem::replace(&mut self.early_lease, EarlyLease::Over) {
            // The answer is on its way.
            EarlyLease::Asked if done == 0 => self.early_lease = EarlyLease::Asked,
            EarlyLease::Given(pieces) => self.take_lease(&manifest, &pieces),
            EarlyLease::Unasked | EarlyLease::Asked | EarlyLease::Over => drop(self.signal(PeerToTracker::Share { manifest, done })),
        }
    }

    /// Leaves as many offers as the tracker wants, once there is something to give: in a crowd there soon will be.
    fn make_offers(&mut self) {
        let has_nothing = self.totals_held() == 0 && !(self.in_crowd && self.wanted().is_some());
        if self.slots == 0 || has_nothing || !self.links.has_room() {
            return;
        }
        let mut offers = Vec::new();
        for _ in 0..std::mem::take(&mut self.offers_wanted).min(viral_wire::limits::OFFERS_PER_PEER_MAX as u8) {
            match self.links.offer(Instant::now()) {
                Ok((offer, description)) => offers.push(ReadyOffer { offer, description }),
                Err(error) => tracing::warn!(%error, "no offer can be made"),
            }
        }
        if !offers.is_empty() {
            self.signal(PeerToTracker::Offers { offers });
        }
    }

    fn totals_held(&self) -> u64 {
        self.manifests.current().map_or(0, |known| self.store.count(&known.pieces).1)
    }

    /// Something grew: the tracker hears of it soon.
    pub(super) fn report_soon(&mut self) {
        let at = self.now() + if self.in_crowd && !self.matters_to_tracker() { CROWD_REPORT_MS } else { REPORT_MS };
        self.report_at = Some(self.report_at.map_or(at, |planned| planned.min(at)));
    }

    /// Whether what is held changes what the tracker does: there is something, or so much that others are sent here for it, or everything.
    fn matters_to_tracker(&self) -> bool {
        let Progress { held, total, done, .. } = self.fetch.progress();
        let reported = self.held_reported.map_or(0, |(_, pieces)| pieces as usize);
        done || reported == 0 || (reported * 2 < total && total <= held * 2)
    }

    /// Tells the tracker what is held and what grew.
    pub(super) fn report(&mut self) {
        self.report_at = None;
        if !self.tracker.as_ref().is_some_and(crate::tracker_client::TrackerClient::is_live) {
            return;
        }
        let held = match self.manifests.current() {
            Some(known) => Some((known.digest, self.store.count(&known.pieces))),
            // One of a crowd gives what it has not got yet: it will have it soon.
            None => self.sought.filter(|_| self.in_crowd).map(|manifest| (manifest, (0, 0))),
        };
        if let Some((manifest, (pieces, bytes))) = held
            && self.held_reported != Some((manifest, pieces))
            && self.signal(PeerToTracker::Held { manifest, pieces, bytes })
        {
            self.held_reported = Some((manifest, pieces));
        }
        if let Some(counts) = self.totals.growth(&self.reported)
            && self.signal(PeerToTracker::Counts(counts))
        {
            self.reported = self.totals.clone();
        }
        self.make_offers();
    }

    /// Plans a search for peers, if there are too few for what is missing, or may be.
    pub(super) fn look_for_peers(&mut self) {
        if !self.misses_something() {
            return;
        }
        let wait_ms = match (self.met() < PEERS_WANTED, self.links.answered().all(|link| link.opened)) {
            (true, _) if self.find_ms == FIND_MS => 0,
            (true, _) => self.find_ms,
            // Not all of those that are dialled may ever open.
            (false, false) => DIAL_HOPED_MS,
            (false, true) => return,
        };
        let at = self.now() + wait_ms;
        self.find_at = Some(self.find_at.map_or(at, |planned| planned.min(at)));
    }

    fn misses_something(&self) -> bool {
        let progress = self.fetch.progress();
        self.meets && (self.awaits_peer || self.sought.is_some() || (!progress.done && progress.total > 0))
    }

    /// Connections that are open, or young enough that they still may.
    fn met(&self) -> usize {
        let is_hopeful = |link: &&Link| link.opened || link.started_at.elapsed() < Duration::from_millis(DIAL_HOPED_MS);
        self.links.answered().filter(is_hopeful).count()
    }

    /// Asks the tracker for more peers, and less and less often.
    pub(super) fn find(&mut self) {
        self.find_at = None;
        let count = PEERS_WANTED.saturating_sub(self.met()).min(OFFERS_PER_LEECHER_MAX);
        let is_content = !self.misses_something();
        if count == 0 || is_content {
            // Only what opened counts: where nothing ever does, everybody's offers would be used up.
            if is_content || self.peers() >= PEERS_WANTED {
                self.find_ms = FIND_MS;
            }
            return self.look_for_peers();
        }
        self.signal(PeerToTracker::Find { manifest: self.wanted(), count: u8::try_from(count).unwrap_or(1) });
        self.find_ms = (self.find_ms * 2).min(FIND_MS_MAX);
        self.find_at = Some(self.now() + self.find_ms);
    }
}
