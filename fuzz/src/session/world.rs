//! What a session is in: its host as far as it carries out what it is told, and beside it the plainest fetch, which knows what is asked for and what came.

use std::collections::BTreeSet;

use viral_swarm::client::config::LINKS_MAX;
use viral_swarm::client::peers::Introduction;
use viral_swarm::client::{Output, Session, SessionConfig};
use viral_swarm::fetch::{PeerKey, Source};
use viral_wire::frame::{ByeReason, Encoding, RefuseReason};
use viral_wire::limits::OFFERS_PER_PEER_MAX;
use viral_wire::signal::{Offer, PeerNumber, PeerToTracker, TrackerToPeer};
use viral_wire::{AssetRecord, Description, Digest, Frame, Manifest, Piece, PieceId};

use crate::pieces::piece;

/// Peers that one input may name.
pub(super) const PEERS: usize = LINKS_MAX + 4;

/// Versions of the page.
pub(super) const VERSIONS: usize = 3;

/// Pieces of each version, from where they begin: each version shares some with the one before.
const PIECES: [(u32, u32); VERSIONS] = [(0, 24), (12, 24), (30, 1)];

/// Bytes of each piece.
const PIECE_LEN: u32 = 1_000;

/// Outputs after one call: more mean that they never end.
const OUTPUTS_MAX: usize = 20_000;

/// Times that the same moment may be one to wake at.
const AT_ONCE_MAX: usize = 4;

/// Calls until an origin that serves everything is done: two for each piece, and every wait there is.
const STEPS_MAX: usize = 2_000;

/// A description whatever the visitor is: the session looks into none.
const SDP: &str = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 \
                   00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\na=setup:actpass\r\n\
                   a=max-message-size:262144\r\n";

/// The session beside what must hold of it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) session: Session,
    pub(super) now: u64,
    /// Whether pieces of peers are forged.
    pub(super) forges: bool,
    /// Connections that there are.
    links: BTreeSet<PeerKey>,
    next_link: PeerKey,
    /// Offers that wait for an answer.
    offered: usize,
    /// What of the current version was named to be fetched.
    page: BTreeSet<PieceId>,
    /// What is stored, and what of it can be read no more.
    held: BTreeSet<PieceId>,
    gone: BTreeSet<PieceId>,
    /// What the origin is asked for.
    asked: BTreeSet<PieceId>,
    asked_manifests: BTreeSet<Digest>,
    /// The tracker answers whoever asks, that there is nobody.
    is_answered: bool,
}

impl World {
    pub(super) fn new(config: SessionConfig, offers: usize) -> Self {
        let mut world = Self {
            session: Session::new(config, (0..offers).map(offer).collect()),
            now: 0,
            forges: false,
            links: BTreeSet::new(),
            next_link: 1,
            offered: 0,
            page: BTreeSet::new(),
            held: BTreeSet::new(),
            gone: BTreeSet::new(),
            asked: BTreeSet::new(),
            asked_manifests: BTreeSet::new(),
            is_answered: false,
        };
        world.settle();
        world
    }

    pub(super) fn receive(&mut self, signal: TrackerToPeer) {
        // Nobody answers an offer that is not there.
        if let TrackerToPeer::Answer { .. } = &signal {
            if self.offered == 0 {
                return;
            }
            self.offered -= 1;
        }
        self.session.handle_signal(self.now, signal);
    }

    /// A connection that there is, or one that there is not.
    pub(super) fn link(&self, index: usize) -> PeerKey {
        self.links.iter().nth(index).copied().unwrap_or(0)
    }

    pub(super) fn closed(&mut self, peer: PeerKey) {
        self.links.remove(&peer);
        self.session.handle_closed(self.now, peer);
    }

    /// A piece comes, and is stored if the session takes it.
    pub(super) fn arrives(&mut self, source: Source, id: PieceId, is_genuine: bool) {
        if source == Source::Origin {
            if !self.session.accept_from_origin(id) {
                return;
            }
            self.asked.remove(&id);
        }
        if self.session.handle_verified(self.now, source, id, is_genuine) {
            assert!(is_genuine, "a forged piece is to be stored");
            assert!(self.page.contains(&id), "a piece is to be stored that nobody named");
            assert!(self.held.insert(id), "a piece is to be stored a second time");
            self.session.handle_kept(self.now, source, id, PIECE_LEN);
        }
    }

    /// A request for these is over, as far as they were asked for.
    pub(super) fn served(&mut self, ids: &[PieceId]) {
        let served: Vec<PieceId> = ids.iter().copied().filter(|id| self.asked.remove(id)).collect();
        if !served.is_empty() {
            self.session.handle_origin_served(self.now, &served);
        }
    }

    /// The origin gives a manifest that it was asked for, or does not.
    pub(super) fn manifest(&mut self, version: usize, is_given: bool) {
        if self.asked_manifests.remove(&digest(version)) {
            self.session.handle_manifest(self.now, digest(version), is_given.then(|| blob(version)));
        }
    }

    pub(super) fn gone(&mut self, number: u32) {
        let id = id(number);
        if self.held.contains(&id) {
            self.gone.insert(id);
            self.session.handle_gone(&id);
        }
    }

    /// Time passed. What that leads to may be due at once. Whether anything was asked for.
    pub(super) fn wake(&mut self) -> bool {
        let mut asks = false;
        for _ in 0..AT_ONCE_MAX {
            self.session.handle_timeout(self.now);
            asks |= self.settle();
            if self.session.poll_timeout().is_none_or(|at| at > self.now) {
                return asks;
            }
        }
        panic!("wants to be woken again and again at {}", self.now);
    }

    /// Carries out what one call led to, and checks what must hold, whatever came before. Whether anything was asked for.
    pub(super) fn settle(&mut self) -> bool {
        let (mut outputs, mut asks) = (0, false);
        loop {
            while let Some(piece) = self.session.poll_piece() {
                self.arrives(Source::Peer(piece.peer), piece.id, !self.forges);
            }
            let Some(output) = self.session.poll() else { break };
            asks |= self.carry_out(output);
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "outputs never end");
        }
        assert!(self.links.len() <= LINKS_MAX + OFFERS_PER_PEER_MAX, "{} connections", self.links.len());
        let (progress, totals) = (self.session.progress(), self.session.totals());
        let bytes = |pieces: usize| pieces as u64 * u64::from(PIECE_LEN);
        assert_eq!(progress.bytes_held, bytes(self.page.intersection(&self.held).count()), "held is what was stored of the page");
        assert_eq!(totals.bytes_from_peers + totals.bytes_from_origin, bytes(self.held.len()), "counted is what was stored");
        asks
    }

    fn carry_out(&mut self, output: Output) -> bool {
        let now = self.now;
        match output {
            Output::Signal(PeerToTracker::Find { .. }) if self.is_answered => {
                self.session.handle_signal(now, TrackerToPeer::Peers { offers: Vec::new() });
            }
            // Now and then the socket is full.
            Output::Signal(signal) if now % 7 == 3 => self.session.handle_unsent(&signal),
            Output::Signal(_) | Output::Register(_) | Output::Failed(_) | Output::Refused(_) => {}
            Output::Frame { frame: Frame::Want { ids }, .. } => {
                for id in ids {
                    assert!(self.page.contains(&id) && !self.held.contains(&id), "a piece is asked for that is held or not of the page");
                }
                return true;
            }
            Output::Frame { .. } => {}
            Output::AskManifest { manifest } => {
                self.asked_manifests.insert(manifest);
            }
            Output::AskPieces { ids } => {
                assert!(!ids.is_empty());
                for id in ids {
                    assert!(self.page.contains(&id) && !self.held.contains(&id), "the origin is asked for what is held or not of the page");
                    assert!(self.asked.insert(id), "the origin is asked for a piece twice");
                }
                return true;
            }
            Output::Dial { offers, .. } => self.dial(&offers),
            Output::Reach { peer, candidates } => {
                assert!(self.links.contains(&peer) && !candidates.is_empty(), "nobody is to be reached");
            }
            Output::MakeOffers { count } => {
                assert!((1..=OFFERS_PER_PEER_MAX).contains(&usize::from(count)));
                self.offered = (self.offered + usize::from(count)).min(OFFERS_PER_PEER_MAX);
            }
            Output::Accept { offer, number, push, .. } => {
                let peer = self.connect();
                self.session.handle_accepted(now, peer, Introduction { number, offer, push, dialled: false, beyond: None });
            }
            Output::WithdrawOffers => self.offered = 0,
            Output::Close { peer, .. } => _ = self.links.remove(&peer),
            Output::SendPiece { peer, id, .. } => {
                assert!(self.held.contains(&id) && !self.gone.contains(&id), "a piece is given that cannot be read");
                self.session.handle_sent(now, peer, id, PIECE_LEN, 0);
            }
            Output::TakeUp { replaced } => {
                if replaced {
                    // The engine is a fresh one, and asks anew.
                    self.page.clear();
                    self.asked.clear();
                }
                let pieces = self.session.current().expect("a manifest is taken up").pieces.clone();
                self.page.extend(pieces.iter().map(Piece::id));
                let held = &self.held;
                self.session.add_pieces(now, &pieces, |id| held.contains(id));
                self.session.handle_taken_up(now);
            }
        }
        false
    }

    /// Answers offers; those of the last peer are of no use.
    fn dial(&mut self, offers: &[Offer]) {
        assert!((1..=LINKS_MAX).contains(&offers.len()));
        let mut dialled = Vec::new();
        for offer in offers.iter().filter(|offer| offer.peer != peer(PEERS - 1)) {
            let from = Introduction { number: offer.peer, offer: offer.offer, push: offer.push, dialled: true, beyond: None };
            dialled.push((self.connect(), from));
        }
        self.session.handle_dialled(self.now, &dialled);
    }

    fn connect(&mut self) -> PeerKey {
        let link = self.next_link;
        self.next_link += 1;
        self.links.insert(link);
        link
    }

    /// From now on everybody else is gone, and the origin gives what it is asked for: all of the page comes, and then nothing is asked for any more.
    ///
    /// # Panics
    /// Where it does not.
    pub(super) fn finish(&mut self) {
        self.is_answered = true;
        for peer in self.links.clone() {
            self.closed(peer);
            self.settle();
        }
        let unserved: Vec<PieceId> = self.asked.iter().copied().collect();
        self.served(&unserved);
        self.settle();
        let welcome = TrackerToPeer::Welcome {
            peer: peer(PEERS),
            offers_wanted: 0,
            slots: 0,
            up_bytes_per_s: 0,
            up_bytes_per_day: 0,
            stun: Vec::new(),
        };
        let named = TrackerToPeer::Manifest { page: "/".to_owned(), manifest: digest(0) };
        for signal in [welcome, named] {
            self.session.handle_signal(self.now, signal);
            self.settle();
        }
        self.session.handle_lost(self.now);
        self.settle();
        for _ in 0..STEPS_MAX {
            if self.has_page() {
                return self.rest();
            }
            self.step();
        }
        panic!("an origin that serves everything did not finish it");
    }

    /// Whether it has what the plainest fetch would have: each piece of the manifest that it wants.
    fn has_page(&self) -> bool {
        let named = |signal| if let PeerToTracker::Register { manifest, .. } = signal { manifest } else { None };
        let wanted = self.session.registration().into_iter().find_map(named);
        let is_all = |pieces: &[Piece]| pieces.iter().all(|piece| self.held.contains(&piece.id()));
        let current = self.session.current().filter(|known| wanted == Some(known.digest));
        current.is_some_and(|known| is_all(&known.pieces)) && self.session.progress().done
    }

    fn step(&mut self) {
        if !self.asked_manifests.is_empty() {
            self.give_manifests();
        } else if let Some(id) = self.asked.first().copied() {
            self.arrives(Source::Origin, id, true);
            self.settle();
        } else {
            let at = self.session.poll_timeout();
            let at = at.unwrap_or_else(|| panic!("nothing is under way, something is missing, and there is nothing to wait for"));
            self.now = self.now.max(at);
            self.wake();
        }
    }

    /// What is still awaited lapses, and no piece is asked for. The manifest may be, where another one was named meanwhile.
    fn rest(&mut self) {
        for _ in 0..STEPS_MAX {
            self.give_manifests();
            let Some(at) = self.session.poll_timeout() else { return };
            self.now = self.now.max(at);
            assert!(!self.wake(), "everything is held, and yet it asks for more");
        }
        panic!("everything is held, and yet it wants to be woken at {:?}", self.session.poll_timeout());
    }

    /// The origin gives those that it was asked for.
    fn give_manifests(&mut self) {
        for version in (0..VERSIONS).filter(|version| self.asked_manifests.contains(&digest(*version))).collect::<Vec<_>>() {
            self.manifest(version, true);
            self.settle();
        }
    }
}

pub(super) fn id(number: u32) -> PieceId {
    piece(number, PIECE_LEN).id()
}

pub(super) fn ids(numbers: &[u32]) -> Vec<PieceId> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// The manifest of a version.
pub(super) fn digest(version: usize) -> Digest {
    Digest::of(&blob(version))
}

pub(super) fn offer(index: usize) -> Offer {
    // Some are of another network, behind a NAT.
    let far = index % 2 == 1;
    let mut description = description();
    if far {
        description.set_candidates(vec!["u|203.0.113.7|50001|a|s".parse().expect("it is a candidate")]);
    }
    Offer { peer: peer(index), offer: 1, description, push: None, far, beyond: None }
}

pub(super) fn answer(offer: u32, index: usize) -> TrackerToPeer {
    TrackerToPeer::Answer { offer, peer: peer(index), description: description(), push: None, beyond: None }
}

/// A frame of this kind that names these pieces, or this version.
pub(super) fn frame(kind: u8, version: usize, numbers: &[u32]) -> Frame {
    let (ids, manifest) = (ids(numbers), digest(version));
    let part = |body: Vec<u8>| Frame::ManifestPart { manifest, offset: 0, total: body.len() as u32, body };
    match kind % 11 {
        0 => Frame::Hello { manifests: vec![manifest] },
        1 => Frame::Hello { manifests: Vec::new() },
        2 => Frame::Want { ids },
        3 => Frame::Cancel { ids },
        4 => Frame::Query { ids },
        5 => Frame::Have { ids },
        6 => Frame::Refuse { reason: RefuseReason::NotHeld, ids },
        7 => Frame::WantManifest { manifest },
        8 => Frame::Bye { reason: ByeReason::Leaving },
        9 => part(if numbers.is_empty() { blob(version) } else { vec![0; numbers.len()] }),
        _ => Frame::Piece { id: id(numbers.first().copied().unwrap_or(0)), encoding: Encoding::Raw, body: vec![0; PIECE_LEN as usize] },
    }
}

fn blob(version: usize) -> Vec<u8> {
    let (first, count) = PIECES[version];
    let pieces: Vec<Piece> = (first..first + count).map(|number| piece(number, PIECE_LEN)).collect();
    let asset = AssetRecord {
        path: "/app".to_owned(),
        media_type: "text/html".to_owned(),
        headers: Vec::new(),
        len: pieces.len() as u64 * u64::from(PIECE_LEN),
        digest: Digest([9; 32]),
        pieces,
    };
    Manifest { assets: vec![asset] }.encode().expect("a manifest of few pieces")
}

fn peer(index: usize) -> PeerNumber {
    PeerNumber::from_bits(index as u64 + 1)
}

fn description() -> Description {
    Description::from_sdp(SDP).expect("a description")
}
