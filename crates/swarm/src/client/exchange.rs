//! What one visitor exchanges with peers and takes from the origin: its connections, manifests, and the engines of both directions.
//!
//! Part of a [`Session`](super::Session), which tells the tracker of what happens here.

use std::collections::VecDeque;

use viral_wire::frame::{ByeReason, Encoding};
use viral_wire::push::planned;
use viral_wire::signal::{ConnectFailure, Offer, PeerNumber};
use viral_wire::{Digest, Frame, Piece, PieceId};

use super::config::{CROWD_MANIFEST_WAIT_MS, MANIFEST_WAIT_MS};
use super::manifests::{ArrivedPiece, ManifestConfig, ManifestOutput, Manifests};
use super::parts::Part;
use super::peers::{Introduction, Peers, PeersOutput};
use super::report::{Giver, Held};
use super::serving::{Serving, ServingOutput};
use super::types::{Output, SessionConfig};
use crate::fetch::{Accepted, Fault, Fetch, FetchConfig, FetchOutput, PeerKey, Source};
use crate::random::Random;

/// What happens, for the session to act on.
#[derive(Debug)]
pub(super) enum Event {
    /// For the host.
    Output(Output),
    /// A connection opened, so many milliseconds after its offer was answered.
    Opened { number: PeerNumber, offer: u32, ms: u32 },
    /// The other end of a connection is at fault; the connection ends.
    Faulted { number: PeerNumber, fault: Fault },
    /// A peer sent bytes that are not what it said.
    Forged,
    /// A connection is over.
    Closed { number: PeerNumber, offer: u32, cause: Option<ConnectFailure> },
    /// The download wants a lease.
    AskLease { done: u32 },
    /// Pieces are missing and there is no peer.
    NeedPeers,
    /// Every piece is here.
    Done,
}

/// The peers and the origin of one visitor.
#[derive(Debug)]
pub(super) struct Exchange {
    in_crowd: bool,
    random: Random,
    pub(super) fetch: Fetch,
    pub(super) serving: Serving,
    pub(super) peers: Peers,
    pub(super) manifests: Manifests,
    /// A manifest is here, and its pieces are not named to the engine yet.
    is_taking_up: bool,
    /// Connections that began before may still send what an earlier engine asked of them.
    reset_at: Option<u64>,
    /// When anything was learnt last, and when the first piece was verified.
    pub(super) advanced_at: (u64, Option<u64>),
    /// Pieces to verify.
    arrived: VecDeque<ArrivedPiece>,
    /// How many were verified and kept.
    kept: u64,
    /// The session's time, in milliseconds.
    pub(super) now: u64,
    out: VecDeque<Event>,
}

impl Exchange {
    /// Nobody is met, and nothing is here.
    pub(super) fn new(config: &SessionConfig, offers: &[Offer]) -> Self {
        let &SessionConfig { takes_page, follows, in_crowd, manifest, .. } = config;
        let manifests = ManifestConfig { takes_page, follows, has_ticket: config.ticket.is_some(), in_crowd };
        let mut random = Random::new(config.seed);
        Self {
            in_crowd,
            fetch: fresh_fetch(&mut random),
            random,
            serving: Serving::new(config.slots, config.up_bytes_per_s),
            peers: Peers::default(),
            manifests: Manifests::new(manifests, manifest, manifest_wait_ms(config, offers)),
            is_taking_up: false,
            reset_at: None,
            advanced_at: (0, None),
            arrived: VecDeque::new(),
            kept: 0,
            now: 0,
            out: VecDeque::new(),
        }
    }

    /// It is so late now.
    pub(super) fn at(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Whether pieces are known to be missing, or a manifest.
    pub(super) fn misses_something(&self) -> bool {
        let progress = self.fetch.progress();
        self.manifests.sought().is_some() || (!progress.done && progress.total > 0)
    }

    /// Whether there is something to give: in a crowd there soon will be.
    pub(super) fn will_hold(&self) -> bool {
        let held = self.serving.held();
        let has_any = self.manifests.current().is_some_and(|known| known.pieces.iter().any(|piece| held.has(&piece.id())));
        has_any || (self.in_crowd && self.manifests.wanted().is_some())
    }

    /// What is held of the page's manifest.
    pub(super) fn held(&self) -> Option<Held> {
        match self.manifests.current() {
            Some(known) => {
                let (pieces, bytes) = self.serving.held().count(&known.pieces);
                Some(Held { manifest: known.digest, pieces, bytes })
            }
            // One of a crowd gives what it has not got yet: it will have it soon.
            None => self.manifests.sought().filter(|_| self.in_crowd).map(|manifest| Held { manifest, pieces: 0, bytes: 0 }),
        }
    }

    /// The pieces at these places of a manifest are ours to take from the origin.
    pub(super) fn take_lease(&mut self, manifest: &Digest, places: &[u32]) {
        if let Some(known) = self.manifests.get(manifest) {
            let ids: Vec<PieceId> = places.iter().filter_map(|&at| known.pieces.get(at as usize)).map(Piece::id).collect();
            self.fetch.handle_lease(self.now, &ids);
        }
    }

    /// A request to the origin for these pieces is over.
    pub(super) fn handle_origin_served(&mut self, ids: &[PieceId]) {
        let left: Vec<PieceId> = ids.iter().copied().filter(|id| !self.serving.held().has(id)).collect();
        if !left.is_empty() {
            self.fetch.handle_origin_failed(self.now, &left);
        }
    }

    /// Ends all connections that were dialled and did not open yet.
    pub(super) fn end_unopened(&mut self) {
        let unopened: Vec<PeerKey> =
            self.peers.iter().filter(|(_, link)| link.from.dialled && !link.opened).map(|(peer, _)| peer).collect();
        unopened.into_iter().for_each(|peer| self.end(peer, None));
    }

    pub(super) fn add_pieces(&mut self, pieces: &[Piece], held: impl Fn(&PieceId) -> bool) {
        self.fetch.add_pieces(self.now, pieces);
        let (here, gone): (Vec<Piece>, Vec<Piece>) = pieces.iter().partition(|piece| held(&piece.id()));
        // The store may have lost what it had.
        gone.iter().for_each(|piece| self.serving.handle_gone(&piece.id()));
        self.handle_found(&here);
        let pushes: Vec<_> = self.peers.iter().map(|(peer, _)| (peer, self.announced_push(peer))).collect();
        for (peer, push) in pushes {
            self.fetch.handle_push_announced(self.now, peer, &push);
        }
    }

    pub(super) fn handle_found(&mut self, pieces: &[Piece]) {
        pieces.iter().for_each(|piece| self.serving.handle_found(piece.id(), piece.len));
        let ids: Vec<PieceId> = pieces.iter().map(Piece::id).collect();
        self.fetch.handle_held(self.now, &ids);
    }

    pub(super) fn reset_fetch(&mut self) {
        let now = self.now;
        self.fetch = fresh_fetch(&mut self.random);
        self.reset_at = Some(now);
        let wanted = self.manifests.wanted();
        for (peer, link) in self.peers.iter() {
            self.fetch.handle_dial(now, peer, &[]);
            if link.opened {
                self.fetch.handle_open(now, peer);
                if let Some(beyond) = link.from.beyond {
                    self.fetch.handle_beyond(now, peer, beyond);
                }
                self.fetch.handle_hello(now, peer, wanted.is_some_and(|wanted| link.holds.contains(&wanted)));
            }
        }
    }

    /// Closes all connections.
    pub(super) fn leave(&mut self) {
        let reason = Some(ByeReason::Leaving);
        self.out.extend(self.peers.iter().map(|(peer, _)| Event::Output(Output::Close { peer, reason })));
        self.peers = Peers::default();
    }

    /// An offer was answered, by either side.
    pub(super) fn handle_answered(&mut self, peer: PeerKey, from: Introduction) {
        self.peers.handle_answered(self.now, peer, from);
        if self.peers.get(peer).is_none() {
            self.output(Output::Close { peer, reason: None });
            // The tracker counts it as one of ours until it hears of the end.
            self.out.push_back(Event::Closed { number: from.number, offer: from.offer, cause: None });
        } else if from.dialled {
            let push = self.announced_push(peer);
            self.fetch.handle_dial(self.now, peer, &push);
        }
    }

    pub(super) fn handle_open(&mut self, peer: PeerKey) {
        self.peers.handle_open(peer);
        let Some(link) = self.peers.get(peer) else { return };
        let (now, Introduction { number, offer, push, dialled, beyond }) = (self.now, link.from);
        let ms = u32::try_from(now - link.started_at).unwrap_or(u32::MAX);
        self.serving.handle_open(now, peer, push.filter(|_| !dialled).as_ref(), &self.manifests);
        // The greeting is the first frame of each side.
        while let Some(output) = self.serving.poll_said() {
            self.do_serving(output);
        }
        if let Some(manifest) = self.manifests.sought().filter(|_| !(dialled && push.is_some())) {
            self.send(peer, Frame::WantManifest { manifest }, 0);
        }
        self.fetch.handle_open(now, peer);
        if let Some(beyond) = beyond {
            self.fetch.handle_beyond(now, peer, beyond);
        }
        self.out.push_back(Event::Opened { number, offer, ms });
    }

    pub(super) fn handle_frame(&mut self, peer: PeerKey, frame: Frame) {
        let now = self.now;
        if !self.peers.handle_frame(now, peer, &frame) {
            return self.fault(peer, Fault::Malformed);
        }
        let Some(link) = self.peers.get_mut(peer) else { return };
        self.serving.handle_frame(now, peer, &frame, &self.manifests);
        match frame {
            Frame::Hello { manifests } => {
                let complete = self.manifests.wanted().is_some_and(|wanted| manifests.contains(&wanted));
                link.holds = manifests;
                self.fetch.handle_hello(now, peer, complete);
            }
            Frame::Have { ids } => self.fetch.handle_have(now, peer, &ids),
            Frame::Refuse { ids, .. } => self.fetch.handle_refuse(now, peer, &ids),
            Frame::Piece { id, encoding, body } => self.handle_piece(peer, id, encoding, body),
            // Looked at even if the manifest came another way: a liar must not stay.
            Frame::ManifestPart { manifest, offset, total, body } => match link.parts.handle(offset, total, &body) {
                Part::Missing => {}
                Part::Fault => self.fault(peer, Fault::Malformed),
                Part::Whole(blob) if Digest::of(&blob) != manifest => {
                    self.out.push_back(Event::Forged);
                    self.drop_peer(peer, Fault::Forged);
                }
                Part::Whole(blob) => self.handle_manifest(manifest, blob),
            },
            Frame::Bye { .. } => {
                // A fault that was just seen is reported even of a peer that leaves at once.
                while let Some(output) = self.serving.poll_said() {
                    self.do_serving(output);
                }
                self.end(peer, None);
            }
            Frame::Want { .. } | Frame::Cancel { .. } | Frame::Query { .. } | Frame::WantManifest { .. } => {}
        }
    }

    /// A manifest that matches its name is here. If it is the sought one, its pieces are fetched.
    pub(super) fn handle_manifest(&mut self, digest: Digest, blob: Vec<u8>) {
        let Some(given) = self.manifests.handle_given(digest, blob) else { return };
        self.advanced_at.0 = self.now;
        self.is_taking_up = true;
        match given {
            Ok(replaced) => {
                if replaced {
                    self.serving.handle_renewed();
                    self.reset_fetch();
                }
                self.output(Output::TakeUp { replaced });
            }
            Err(error) => self.output(Output::Failed(error)),
        }
    }

    /// What the manifest names is being fetched: those that wait for it have it now, and what came too early is of use.
    pub(super) fn handle_taken_up(&mut self) {
        self.is_taking_up = false;
        self.serving.pass_manifests(self.now, &self.manifests);
        for ArrivedPiece { peer, id, encoding, body } in self.manifests.take_early() {
            self.handle_piece(peer, id, encoding, body);
        }
    }

    fn handle_piece(&mut self, peer: PeerKey, id: PieceId, encoding: Encoding, body: Vec<u8>) {
        if self.manifests.is_early() || self.is_taking_up {
            if !self.manifests.keep_early(ArrivedPiece { peer, id, encoding, body }) {
                self.fault(peer, Fault::Malformed);
            }
            return;
        }
        match self.fetch.accept(Source::Peer(peer), id) {
            Accepted::Take { .. } => self.arrived.push_back(ArrivedPiece { peer, id, encoding, body }),
            Accepted::Late => {}
            Accepted::Unasked => {
                let is_stranger = self.peers.get(peer).is_some_and(|link| self.reset_at.is_none_or(|at| link.started_at > at));
                // A peer that we dialled may push what is here anyway; one from before a new version may send what was asked then.
                if is_stranger && !self.serving.held().has(&id) {
                    self.fault(peer, Fault::Unasked);
                }
            }
        }
    }

    pub(super) fn poll_piece(&mut self) -> Option<ArrivedPiece> {
        self.arrived.pop_front()
    }

    /// Whether a piece is genuine. True if it is new: it is to be kept.
    pub(super) fn handle_verified(&mut self, source: Source, id: PieceId, verified: bool) -> bool {
        let held = self.fetch.progress().held;
        self.fetch.handle_piece(self.now, source, id, verified);
        if let Source::Peer(peer) = source
            && !verified
        {
            // At once, before it says goodbye by itself.
            self.drop_peer(peer, Fault::Forged);
        }
        verified && self.fetch.progress().held > held
    }

    /// A piece was kept; who gave it.
    pub(super) fn handle_kept(&mut self, source: Source, id: PieceId, len: u32) -> Giver {
        let giver = match source {
            Source::Origin => Giver::Origin,
            Source::Peer(peer) => Giver::Peer(self.peers.get(peer).map(|link| link.from.number)),
        };
        self.kept += 1;
        self.advanced_at = (self.now, self.advanced_at.1.or(Some(self.now)));
        let arrival = (self.in_crowd && !self.fetch.progress().done).then_some(self.kept);
        self.serving.handle_kept(self.now, id, len, arrival);
        giver
    }

    /// The other end broke the protocol: the engine is told first, so that it does not forget to remember.
    pub(super) fn fault(&mut self, peer: PeerKey, fault: Fault) {
        self.fetch.handle_fault(self.now, peer, fault);
        self.drop_peer(peer, fault);
    }

    /// Ends a connection whose other end is at fault.
    fn drop_peer(&mut self, peer: PeerKey, fault: Fault) {
        if let Some(link) = self.peers.get(peer) {
            self.out.push_back(Event::Faulted { number: link.from.number, fault });
            self.end(peer, Some(ByeReason::Fault));
        }
    }

    /// A connection is over, from either side.
    pub(super) fn end(&mut self, peer: PeerKey, reason: Option<ByeReason>) {
        let Some(link) = self.peers.handle_closed(peer) else { return };
        self.output(Output::Close { peer, reason });
        self.fetch.handle_closed(self.now, peer);
        self.serving.handle_closed(self.now, peer);
        self.out.push_back(Event::Closed { number: link.from.number, offer: link.from.offer, cause: link.failure() });
    }

    pub(super) fn handle_timeout(&mut self) {
        let now = self.now;
        if self.fetch.poll_timeout().is_some_and(|at| at <= now) {
            self.fetch.handle_timeout(now);
        }
        self.serving.handle_timeout(now, &self.manifests);
        self.manifests.handle_timeout(now);
        self.peers.handle_timeout(now);
    }

    pub(super) fn poll(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.out.pop_front() {
                return Some(event);
            }
            if let Some(PeersOutput::Close { peer }) = self.peers.poll() {
                self.end(peer, Some(ByeReason::Idle));
            } else if let Some(output) = self.fetch.poll() {
                self.do_fetch(output);
            } else if let Some(ManifestOutput::Ask { manifest }) = self.manifests.poll() {
                self.output(Output::AskManifest { manifest });
            } else {
                let output = self.serving.poll()?;
                self.do_serving(output);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let parts = [self.fetch.poll_timeout(), self.serving.poll_timeout(), self.manifests.poll_timeout(), self.peers.poll_timeout()];
        parts.into_iter().flatten().min()
    }

    /// Does what the download wants done.
    fn do_fetch(&mut self, output: FetchOutput) {
        match output {
            FetchOutput::Want { peer, ids } => self.send(peer, Frame::Want { ids }, 0),
            FetchOutput::Cancel { peer, ids } => self.send(peer, Frame::Cancel { ids }, 0),
            FetchOutput::Query { peer, ids } => self.send(peer, Frame::Query { ids }, 0),
            FetchOutput::AskOrigin { ids } => self.output(Output::AskPieces { ids }),
            FetchOutput::AskLease { done } => self.out.push_back(Event::AskLease { done }),
            FetchOutput::Drop { peer, fault } => {
                if fault == Fault::Forged {
                    self.out.push_back(Event::Forged);
                }
                self.drop_peer(peer, fault);
            }
            FetchOutput::Done => {
                self.serving.handle_done();
                self.out.push_back(Event::Done);
            }
            FetchOutput::NeedPeers => self.out.push_back(Event::NeedPeers),
        }
    }

    fn do_serving(&mut self, output: ServingOutput) {
        match output {
            ServingOutput::Frame { peer, frame, urgency } => self.send(peer, frame, urgency),
            ServingOutput::Piece { peer, id, urgency } => self.output(Output::SendPiece { peer, id, urgency }),
            ServingOutput::Fault { peer, fault } => self.fault(peer, fault),
        }
    }

    fn send(&mut self, peer: PeerKey, frame: Frame, urgency: u64) {
        if self.peers.get(peer).is_some_and(|link| link.opened) {
            self.peers.handle_sent(self.now, peer);
            self.output(Output::Frame { peer, frame, urgency });
        }
    }

    fn output(&mut self, output: Output) {
        self.out.push_back(Event::Output(output));
    }

    /// The pieces that the other end of a dial will send unasked, as far as they are known.
    fn announced_push(&self, peer: PeerKey) -> Vec<PieceId> {
        let push = self.peers.get(peer).and_then(super::peers::PeerLink::awaited_push);
        push.and_then(|push| self.manifests.get(&push.manifest).map(|known| planned(&push, &known.pieces))).unwrap_or_default()
    }
}

/// How long peers may take to give the manifest before the origin is asked for it, in milliseconds. Of a crowd only the first asks at once: the others have it from those who came before.
fn manifest_wait_ms(config: &SessionConfig, offers: &[Offer]) -> u64 {
    let is_pushed = offers.iter().any(|offer| offer.push.is_some());
    match (is_pushed, config.in_crowd && config.ticket.is_some() && !config.is_first) {
        (false, true) => CROWD_MANIFEST_WAIT_MS,
        (true, _) => MANIFEST_WAIT_MS,
        (false, false) if config.is_first || offers.is_empty() => 0,
        (false, false) => MANIFEST_WAIT_MS,
    }
}

fn fresh_fetch(random: &mut Random) -> Fetch {
    let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
    Fetch::new(FetchConfig { seed: u32::from_le_bytes([a, b, c, d]) })
}
