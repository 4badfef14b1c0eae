//! A forger: registers as a complete seeder, and sends other bytes to whoever asks. As `viral-rogue` of crates/peer.

use std::collections::BTreeMap;

use viral_swarm::client::peers::Introduction;
use viral_swarm::fetch::PeerKey;
use viral_wire::frame::Encoding;
use viral_wire::limits::MANIFEST_PART_LEN_MAX;
use viral_wire::push::planned;
use viral_wire::signal::{Answer, PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Frame, PieceId};

use crate::app::PAGE;
use crate::carrier::{ConnId, Kind, NetEvent, Side};
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::description;
use crate::http::Http;
use crate::line::Line;
use crate::message::{Answer as OriginAnswer, Payload, Request};
use crate::socket::Socket;
use crate::visitor::FORGED;

/// It asks for somebody to meet so often. `FIND_MS_MAX` of the session.
const FIND_WAIT: Nanos = 15_000 * MS;

/// How many at a time.
const VICTIMS_WANTED: u8 = 4;

/// Connections that it keeps.
const LINKS_MAX: usize = 64;

/// One forger.
pub struct Rogue {
    index: usize,
    line: Line,
    met: BTreeMap<PeerKey, Introduction>,
    http: Http,
    socket: Socket,
    offers: Vec<u32>,
    next_offer: u32,
    next_key: PeerKey,
    offers_wanted: u8,
    /// Which version it knows.
    version: Option<usize>,
    find_at: Nanos,
    /// Bytes sent in place of pieces.
    pub forged_bytes: u64,
}

impl Rogue {
    /// It comes now.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self {
            index,
            line: Line::default(),
            met: BTreeMap::new(),
            http: Http::default(),
            socket: Socket::default(),
            offers: Vec::new(),
            next_offer: 1,
            next_key: 1,
            offers_wanted: 0,
            version: None,
            find_at: Nanos::MAX,
            forged_bytes: 0,
        }
    }

    /// It registers.
    pub fn handle_arrive(&mut self, context: &mut Context<'_>) {
        self.socket.register = vec![PeerToTracker::Register { page: PAGE.to_owned(), manifest: None, ticket: None, slots: 16 }];
        self.socket.connect(context, self.index + 1);
        self.find_later(context);
    }

    /// It is dropped and comes back.
    pub fn handle_reconnect(&mut self, context: &mut Context<'_>) {
        if !self.socket.is_begun() {
            self.socket.connect(context, self.index + 1);
        }
    }

    /// It looks for somebody.
    pub fn handle_wake(&mut self, context: &mut Context<'_>) {
        if self.find_at <= context.now {
            if self.line.len() < LINKS_MAX {
                self.socket.send(context, PeerToTracker::Find { manifest: None, count: VICTIMS_WANTED });
            }
            self.find_later(context);
        }
        self.line.serve(context);
        self.serve_later(context);
    }

    /// It goes.
    pub fn handle_leave(&mut self, context: &mut Context<'_>) {
        for key in self.line.keys().collect::<Vec<_>>() {
            self.close(context, key);
        }
        self.socket.close(context);
        self.http.close(context);
    }

    fn find_later(&mut self, context: &mut Context<'_>) {
        self.find_at = context.now + FIND_WAIT;
        context.timeline.push(self.find_at, Event::Wake(self.index));
    }

    fn serve_later(&mut self, context: &mut Context<'_>) {
        if let Some(at) = self.line.poll_timeout() {
            context.timeline.push(at.max(context.now + 1), Event::Wake(self.index));
        }
    }

    /// Something happened on one of its connections.
    pub fn handle_net(&mut self, context: &mut Context<'_>, event: NetEvent) {
        match event {
            NetEvent::Opened { conn, .. } => {
                if let Some(key) = self.line.key_of(conn) {
                    self.line.handle_open(key);
                    self.greet(context, key);
                }
            }
            NetEvent::Message { conn, payload, .. } => self.handle_message(context, conn, payload),
            NetEvent::Acknowledged { conn, .. } => {
                if let Some(key) = self.line.key_of(conn) {
                    self.line.handle_acknowledged(context, key);
                }
            }
            NetEvent::Closed { conn, .. } => {
                if let Some(key) = self.line.key_of(conn) {
                    self.close(context, key);
                }
            }
        }
        self.line.serve(context);
        while self.line.poll_low().is_some() {}
        self.serve_later(context);
    }

    fn close(&mut self, context: &mut Context<'_>, key: PeerKey) {
        if let Some(link) = self.line.remove(key) {
            context.net.close(context.now, link.conn, link.side, true);
        }
        if let Some(from) = self.met.remove(&key) {
            self.socket.send(context, PeerToTracker::Closed { peer: from.number, offer: from.offer, cause: None });
        }
    }

    fn handle_message(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) {
        match payload {
            Payload::Frame(frame) => {
                if let Some(key) = self.line.key_of(conn) {
                    self.forge(context, key, frame);
                }
            }
            Payload::Answer(OriginAnswer::Upgraded) => self.socket.handle_up(context),
            Payload::Answer(answer) => {
                self.http.handle_done(context.now, conn);
                if let OriginAnswer::Manifest(digest, true) = answer {
                    self.version = context.versions.iter().position(|version| version.digest == digest);
                    self.boast(context);
                }
            }
            Payload::Told(signal) => {
                self.socket.handle_heard();
                self.handle_signal(context, *signal);
            }
            Payload::SocketClosed => {
                self.offers.clear();
                self.socket.handle_lost(context, self.index);
            }
            Payload::Signal(_) | Payload::Request(_) => {}
        }
    }

    fn handle_signal(&mut self, context: &mut Context<'_>, signal: TrackerToPeer) {
        match signal {
            TrackerToPeer::Welcome { offers_wanted, .. } => self.offers_wanted = offers_wanted,
            TrackerToPeer::Manifest { manifest, .. } => {
                if self.version.is_some_and(|version| context.versions[version].digest == manifest) {
                    self.boast(context);
                } else {
                    self.http.request(context, self.index + 1, Request::Manifest(manifest));
                }
            }
            TrackerToPeer::OffersWanted { count } => self.make_offers(context, count),
            TrackerToPeer::Answer { offer, peer, description, push, .. } => {
                let Some(place) = self.offers.iter().position(|waiting| *waiting == offer) else { return };
                self.offers.remove(place);
                let Some(conn) = description::conn(&description).filter(|conn| context.net.end(*conn, Side::B) == Some(self.index + 1))
                else {
                    return;
                };
                let key = self.meet(context, conn, Side::B, Introduction { number: peer, offer, push, dialled: false, beyond: None });
                context.net.start(context.now, conn);
                context.timeline.push(context.now + 5_000 * MS, Event::Unheard(self.index, key));
            }
            TrackerToPeer::Peers { offers } => {
                let mut answers = Vec::new();
                for offer in offers {
                    let Some(maker) = description::visitor(&offer.description).filter(|_| self.line.len() < LINKS_MAX) else { continue };
                    let conn = context.net.open(context.now, Kind::DataChannel, self.index + 1, maker + 1);
                    let from = Introduction { number: offer.peer, offer: offer.offer, push: None, dialled: true, beyond: None };
                    let key = self.meet(context, conn, Side::A, from);
                    context.timeline.push(context.now + 5_000 * MS, Event::Unheard(self.index, key));
                    let description = description::description(self.index, Some(conn));
                    answers.extend(description.map(|description| Answer { peer: offer.peer, offer: offer.offer, description }));
                }
                if !answers.is_empty() {
                    self.socket.send(context, PeerToTracker::Answers { answers, tell: None });
                }
            }
            TrackerToPeer::Limits { .. }
            | TrackerToPeer::Share { .. }
            | TrackerToPeer::Used { .. }
            | TrackerToPeer::Dropped { .. }
            | TrackerToPeer::Relayed { .. }
            | TrackerToPeer::Error { .. } => {}
        }
    }

    fn meet(&mut self, context: &mut Context<'_>, conn: ConnId, side: Side, from: Introduction) -> PeerKey {
        let key = self.next_key;
        self.next_key += 1;
        self.line.insert(context, key, conn, side);
        self.met.insert(key, from);
        key
    }

    /// A connection of which nothing was heard is over.
    pub fn handle_unheard(&mut self, context: &mut Context<'_>, key: PeerKey) {
        if self.line.get(key).is_some_and(|link| !link.is_open) {
            self.close(context, key);
        }
    }

    /// Tells the tracker that it has everything.
    fn boast(&mut self, context: &mut Context<'_>) {
        let Some(version) = self.version.and_then(|version| context.versions.get(version)) else { return };
        let pieces = u32::try_from(version.pieces.len()).unwrap_or(u32::MAX);
        self.socket.send(context, PeerToTracker::Held { manifest: version.digest, pieces, bytes: version.bytes });
        let wanted = std::mem::take(&mut self.offers_wanted);
        self.make_offers(context, wanted);
        self.socket.send(context, PeerToTracker::Find { manifest: None, count: VICTIMS_WANTED });
    }

    fn make_offers(&mut self, context: &mut Context<'_>, count: u8) {
        let mut made = Vec::new();
        for _ in 0..count {
            self.offers.push(self.next_offer);
            let description = description::description(self.index, None);
            made.extend(description.map(|description| ReadyOffer { offer: self.next_offer, description }));
            self.next_offer += 1;
        }
        let surplus = self.offers.len().saturating_sub(4);
        self.offers.drain(..surplus);
        if !made.is_empty() {
            self.socket.send(context, PeerToTracker::Offers { offers: made });
        }
    }

    fn greet(&mut self, context: &mut Context<'_>, key: PeerKey) {
        let Some(from) = self.met.get(&key).copied() else { return };
        self.socket.send(context, PeerToTracker::Opened { peer: from.number, offer: from.offer, ms: 0 });
        let Some(version) = self.version.and_then(|version| context.versions.get(version)) else { return };
        self.line.send(context, key, Frame::Hello { manifests: vec![version.digest] }, 0, 0);
        if let Some(push) = from.push.filter(|_| !from.dialled) {
            self.give_manifest(context, key);
            if let Some(id) = planned(&push, &version.pieces).first() {
                self.give_forged(context, key, *id);
            }
        }
    }

    fn forge(&mut self, context: &mut Context<'_>, key: PeerKey, frame: Frame) {
        match frame {
            Frame::Query { ids } => drop(self.line.send(context, key, Frame::Have { ids }, 0, 0)),
            Frame::Want { ids } => ids.into_iter().for_each(|id| self.give_forged(context, key, id)),
            Frame::WantManifest { manifest } => {
                if self.version.is_some_and(|version| context.versions[version].digest == manifest) {
                    self.give_manifest(context, key);
                }
            }
            Frame::Hello { .. }
            | Frame::Cancel { .. }
            | Frame::Have { .. }
            | Frame::Refuse { .. }
            | Frame::Bye { .. }
            | Frame::Piece { .. }
            | Frame::ManifestPart { .. } => {}
        }
    }

    fn give_manifest(&mut self, context: &mut Context<'_>, key: PeerKey) {
        let Some(version) = self.version.and_then(|version| context.versions.get(version)) else { return };
        let total = u32::try_from(version.blob.len()).unwrap_or(u32::MAX);
        for (index, body) in version.blob.chunks(MANIFEST_PART_LEN_MAX).enumerate() {
            let offset = u32::try_from(index * MANIFEST_PART_LEN_MAX).unwrap_or(u32::MAX);
            let part = Frame::ManifestPart { manifest: version.digest, offset, total, body: body.to_vec() };
            self.line.send(context, key, part, 0, 0);
        }
    }

    /// As many bytes as the piece has, none of them its own.
    fn give_forged(&mut self, context: &mut Context<'_>, key: PeerKey, id: PieceId) {
        let len = self.version.and_then(|version| context.versions[version].len_of(&id)).unwrap_or(16 * 1024);
        if self.line.send(context, key, Frame::Piece { id, encoding: Encoding::Raw, body: vec![FORGED] }, 0, len) {
            self.forged_bytes += u64::from(len);
        }
    }
}
