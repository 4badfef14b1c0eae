//! Joining, registering, leaving, and what the pages' manifests are.

use std::sync::Arc;

use viral_wire::{
    Digest, Ticket,
    limits::{LOADED_ASSETS_MAX, PATH_LEN_MAX, SIGNAL_LEN_MAX},
    signal::{DropReason, ErrorCode, PeerNumber, TrackerToPeer},
};

use super::{
    Tracker,
    given::Given,
    leecher::Leecher,
    offers::OfferBook,
    output::{CloseReason, TrackerOutput},
    session::{Bucket, Held, Session},
    standing::Standing,
    timers::Timer,
    types::{Answerer, Seeking},
    visit::ThinVisit,
};
use crate::{
    address::ClientAddr,
    coverage::{Coverage, permille},
    limits::{COMPLETE_MIN_PERMILLE, REGISTER_WAIT_MS},
    lineage::VisitKind,
    locality::SharePolicy,
    places::Use,
};

/// The JSON of a `used` around its page and its paths, with room to spare.
const USED_FRAME_LEN: usize = 64;

impl Tracker {
    /// A socket opened. At the limit of sessions the network that has most of them gives way, and of it the session that said nothing for longest, which may come back later; where
    /// that is the newcomer's own network, the newcomer is told `overload` and closed.
    pub fn handle_join(&mut self, now_ms: u64, addr: ClientAddr) -> PeerNumber {
        self.advance(now_ms);
        let peer = self.fresh_number();
        if self.members.sessions.len() >= self.config.sessions_max {
            self.totals.refused.sessions += 1;
            let places = &self.session_places;
            let Some(other) = places.in_the_way(addr.public).or_else(|| places.in_own_way(addr.public)) else {
                self.send(peer, TrackerToPeer::Dropped { reason: DropReason::Overload });
                self.put(TrackerOutput::Close(peer, CloseReason::Dropped(DropReason::Overload)));
                return peer;
            };
            self.close(other, CloseReason::Dropped(DropReason::Overload));
        }
        let register_due_ms = self.now_ms.saturating_add(REGISTER_WAIT_MS);
        let session = Session {
            addr,
            nat: None,
            names_ipv6: false,
            is_told: true,
            fades: false,
            register_due_ms,
            page: None,
            ticket: None,
            thin: false,
            leecher: Leecher::new(self.next_serial()),
            held: None,
            book: OfferBook::new(self.now_ms, peer),
            slots_wanted: 0,
            given: Given::default(),
            served: Default::default(),
            standing: Standing::new(addr.public, self.reputation.fault_count_of(self.now_ms, addr.public)),
            listed: None,
            cooldown_until_ms: None,
            bucket: Bucket::full(self.now_ms, self.config.message_burst_max),
            mistakes: 0,
            loaded: 0,
        };
        self.members.sessions.insert(peer, Box::new(session));
        self.session_places.insert(peer, addr.public, Use::Idle);
        self.browsers.extend(addr.browser.map(|browser| (browser, peer)));
        self.timers.set(register_due_ms, Timer::Register(peer));
        peer
    }

    /// A socket closed. Does nothing for a session that the tracker closed itself.
    pub fn handle_leave(&mut self, now_ms: u64, peer: PeerNumber) {
        self.advance(now_ms);
        self.remove_session(peer);
    }

    /// What a page's manifest is now; every registered peer of that page is told if it changed.
    pub fn handle_manifest(&mut self, now_ms: u64, page: &str, manifest: Digest) {
        self.advance(now_ms);
        let Some(entry) = self.pages.get_mut(page) else { return };
        if entry.manifest.replace(manifest) == Some(manifest) {
            return;
        }
        let peers: Vec<PeerNumber> = entry.peers.iter().copied().collect();
        for peer in peers {
            self.send(peer, TrackerToPeer::Manifest { page: page.to_owned(), manifest });
        }
    }

    /// There is no such page, or it does not travel: whoever registered for it is told.
    pub fn handle_page_unknown(&mut self, now_ms: u64, page: &str) {
        self.advance(now_ms);
        let Some(entry) = self.pages.get(page) else { return };
        let peers: Vec<PeerNumber> = entry.peers.iter().copied().collect();
        for peer in peers {
            self.refuse(peer, ErrorCode::Unknown, "this page does not travel between visitors");
        }
    }

    /// The server sent this to a visit to a page that has not reported it: the sessions of that browser and page are told.
    pub fn handle_used(&mut self, now_ms: u64, browser: u64, page: &str, paths: &[String]) {
        self.advance(now_ms);
        let (first, last) = (PeerNumber::from_bits(0), PeerNumber::from_bits(u64::MAX));
        let sessions: Vec<PeerNumber> = self.browsers.range((browser, first)..=(browser, last)).map(|(_, peer)| *peer).collect();
        for peer in sessions {
            if self.members.sessions.get(&peer).and_then(|session| session.page.as_deref()) != Some(page) {
                continue;
            }
            for assets in messages_of(paths, page.len()) {
                self.send(peer, TrackerToPeer::Used { page: page.to_owned(), assets: assets.to_vec() });
            }
        }
    }

    pub(super) fn handle_register(&mut self, peer: PeerNumber, page: String, manifest: Option<Digest>, ticket: Option<Ticket>, slots: u8) {
        if !page.starts_with('/') || page.len() > PATH_LEN_MAX {
            return self.refuse(peer, ErrorCode::Malformed, "page is not the path of a page");
        }
        // What was said of the visit holds for its session: a browser may say less as it connects.
        let visit = ticket.and_then(|ticket| self.members.visits.get(&ticket)).map_or(SharePolicy::On, |visit| visit.addr.share);
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        if session.page.is_some() {
            return self.refuse(peer, ErrorCode::Unexpected, "registered already");
        }
        self.timers.clear(session.register_due_ms, Timer::Register(peer));
        let known = self.pages.get_key_value(page.as_str()).map(|(known, _)| Arc::clone(known));
        session.page = Some(known.unwrap_or_else(|| page.as_str().into()));
        session.thin = ticket.is_some();
        session.held = manifest.map(|manifest| Held { manifest, bytes: 0, complete: false });
        session.addr.share = session.addr.share.max(visit);
        session.slots_wanted = slots;
        let slots = self.members.sessions.get(&peer).map_or(0, |session| self.slots_of(session));
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        let offers_wanted = session.book.open(slots, self.config.offers_wanted);
        let (up_bytes_per_s, up_bytes_per_day) = (self.config.up_bytes_per_s, self.config.up_bytes_per_day);
        let stun = self.stun.of_use_to(&session.addr);
        if let Some(manifest) = manifest.or_else(|| self.pages.get(page.as_str()).and_then(|page| page.manifest)) {
            self.lines.join(peer, manifest, &session.addr);
        }
        if let Some(ticket) = ticket {
            let fresh = Leecher::new(self.next_serial());
            if let Some(before) = self.members.number_of(Answerer::Ticket(ticket)) {
                self.leases.handle_connected(self.now_ms, before, peer);
            }
            self.members.link_visit(self.now_ms, peer, ticket, fresh);
        }
        if let Some(ordinal) = self.join_lineage(Answerer::Peer(peer)) {
            self.lineage.rejoin(ordinal);
        }
        self.send(peer, TrackerToPeer::Welcome { peer, offers_wanted, slots, up_bytes_per_s, up_bytes_per_day, stun });
        let key = self.members.sessions.get(&peer).and_then(|session| session.page.clone());
        let entry = self.pages.entry(key.unwrap_or_else(|| page.as_str().into())).or_default();
        entry.peers.insert(peer);
        match entry.manifest {
            Some(manifest) => self.send(peer, TrackerToPeer::Manifest { page, manifest }),
            None => self.put(TrackerOutput::PageWanted { page }),
        }
    }

    /// How many a session may serve now of those that it wants to.
    pub(super) fn slots_of(&self, session: &Session) -> u8 {
        // Whoever runs a native peer wants to give.
        let is_asked = session.addr.is_native || !self.is_quiet;
        let may_give = session.addr.share == SharePolicy::On && is_asked && !session.given.is_spent();
        if may_give { session.slots_wanted.min(self.config.slots_max) } else { 0 }
    }

    /// Tells a session how many it may serve from now on, if that changed.
    pub(super) fn adjust_slots(&mut self, peer: PeerNumber) {
        let Some(session) = self.members.sessions.get(&peer).filter(|session| session.page.is_some()) else { return };
        let slots = self.slots_of(session);
        if slots == session.book.slots {
            return;
        }
        if let Some(session) = self.members.sessions.get_mut(&peer) {
            session.book.slots = slots;
        }
        let (up_bytes_per_s, up_bytes_per_day) = (self.config.up_bytes_per_s, self.config.up_bytes_per_day);
        self.send(peer, TrackerToPeer::Limits { slots, up_bytes_per_s, up_bytes_per_day });
        self.refresh(peer);
        self.top_up(peer);
    }

    pub(super) fn handle_held(&mut self, peer: PeerNumber, manifest: Digest, bytes: u64, coverage: &dyn Coverage) {
        let whole = coverage.bytes(&manifest);
        let share = whole.map_or(0, |whole| permille(bytes, whole));
        let complete = bytes > 0 && share >= COMPLETE_MIN_PERMILLE;
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        if session.held.is_none_or(|held| held.manifest != manifest) {
            session.listed = None;
        }
        session.held = Some(Held { manifest, bytes, complete });
        if let Some(ordinal) = session.leecher.ordinal.filter(|_| complete) {
            self.lineage.seeding(ordinal);
        }
        if complete {
            self.leases.handle_satisfied(peer, manifest);
        }
        self.refresh(peer);
    }

    /// The visit of this ticket, made if there is none; false if there are too many.
    pub(super) fn open_visit(&mut self, seeking: &Seeking<'_>) -> bool {
        if self.members.visits.contains(&seeking.ticket) {
            return true;
        }
        let number = self.fresh_number();
        self.open_new_visit(seeking, number)
    }

    /// A visit whose ticket is not known yet, under a number that nobody has; false if there are too many.
    pub(super) fn open_new_visit(&mut self, seeking: &Seeking<'_>, number: PeerNumber) -> bool {
        if self.members.visits.len() >= self.config.tickets_max {
            self.totals.refused.tickets += 1;
            let Some(other) = self.members.visits.in_the_way(seeking.addr.public) else { return false };
            let forgotten = self.members.visits.forget(other);
            self.end_visit(forgotten);
        }
        let leecher = Leecher::new(self.next_serial());
        self.members.visits.open(self.now_ms, seeking.ticket, seeking.addr, seeking.page, number, leecher);
        true
    }

    /// A visit was forgotten.
    pub(super) fn end_visit(&mut self, visit: Option<ThinVisit>) {
        let Some(visit) = visit else { return };
        let granted = self.leases.handle_gone(self.now_ms, visit.number);
        self.grant(granted);
        if let Some(ordinal) = visit.leecher.and_then(|leecher| leecher.ordinal) {
            self.lineage.leave(ordinal);
        }
    }

    /// Gives a leecher its place in the lineage, if it has none yet.
    pub(super) fn join_lineage(&mut self, who: Answerer) -> Option<u64> {
        if let Some(ordinal) = self.members.leecher(who)?.ordinal {
            return Some(ordinal);
        }
        let (kind, page) = match who {
            Answerer::Ticket(ticket) => (VisitKind::Thin, self.members.visits.get(&ticket)?.page.clone()),
            Answerer::Peer(peer) => {
                let session = self.members.sessions.get(&peer)?;
                let kind = if session.thin { VisitKind::Thin } else { VisitKind::Full };
                (kind, session.page.as_ref()?.to_string())
            }
        };
        let ordinal = self.lineage.join(self.now_ms, kind, &page);
        self.members.leecher_mut(who)?.ordinal = Some(ordinal);
        Some(ordinal)
    }

    /// Ends a session on the tracker's own account.
    pub(super) fn close(&mut self, peer: PeerNumber, reason: CloseReason) {
        if self.remove_session(peer) {
            self.put(TrackerOutput::Close(peer, reason));
        }
    }

    fn remove_session(&mut self, peer: PeerNumber) -> bool {
        let Some(session) = self.members.sessions.remove(&peer) else { return false };
        self.session_places.remove(&peer);
        self.lines.leave(peer);
        if let Some(browser) = session.addr.browser {
            self.browsers.remove(&(browser, peer));
        }
        self.candidates.remove(peer);
        let granted = self.leases.handle_gone(self.now_ms, peer);
        self.grant(granted);
        self.timers.clear(session.register_due_ms, Timer::Register(peer));
        session.book.close(&mut self.timers);
        if let Some(until_ms) = session.cooldown_until_ms {
            self.timers.clear(until_ms, Timer::CooledDown(peer));
        }
        if let Some(due_ms) = session.given.due_ms() {
            self.timers.clear(due_ms, Timer::NextDay(peer));
        }
        if let Some(page) = &session.page
            && let Some(entry) = self.pages.get_mut(page)
        {
            entry.peers.remove(&peer);
            if entry.peers.is_empty() {
                self.pages.remove(page);
            }
        }
        if let Some(ordinal) = session.leecher.ordinal {
            self.lineage.leave(ordinal);
        }
        self.end_connections_with(peer, &session.book.uploads);
        if let Some(ticket) = session.ticket {
            self.members.visits.detach(self.now_ms, ticket, peer, session.leecher);
        }
        true
    }

    /// Puts a session among the candidates, those that could serve one more leecher, or takes it out.
    pub(super) fn refresh(&mut self, peer: PeerNumber) {
        let Some(session) = self.members.sessions.get_mut(&peer) else { return self.candidates.remove(peer) };
        let Some(held) = session.held.filter(|_| session.is_ready()) else {
            session.listed = None;
            return self.candidates.remove(peer);
        };
        let is_proven = session.standing.is_proven();
        if session.listed.replace(is_proven) != Some(is_proven) {
            let kind = (is_proven, session.addr.is_native);
            self.candidates.insert(peer, held.manifest, &session.addr.place(), kind);
        }
    }

    /// Asks a session for the offers that it lacks.
    pub(super) fn top_up(&mut self, peer: PeerNumber) {
        let wanted = usize::from(self.config.offers_wanted);
        let count = self.members.sessions.get_mut(&peer).and_then(|session| session.book.ask(self.now_ms, wanted));
        if let Some(count) = count {
            self.send(peer, TrackerToPeer::OffersWanted { count });
        }
    }
}

/// Paths in portions that fit a signal together with a page's path of `page_len` bytes. They are percent-encoded, so that JSON adds two quotes and a comma each.
fn messages_of(paths: &[String], page_len: usize) -> Vec<&[String]> {
    let room = SIGNAL_LEN_MAX.saturating_sub(page_len + USED_FRAME_LEN);
    let (mut portions, mut start, mut len) = (Vec::new(), 0, 0);
    for (at, path) in paths.iter().enumerate() {
        if at > start && (len + path.len() + 3 > room || at - start >= LOADED_ASSETS_MAX) {
            portions.push(&paths[start..at]);
            (start, len) = (at, 0);
        }
        len += path.len() + 3;
    }
    portions.push(&paths[start..]);
    portions.retain(|portion| !portion.is_empty());
    portions
}
