//! The session of one visitor, as its host drives it.

#[cfg(test)]
mod tests;

use viral_wire::signal::{Offer, PeerToTracker, TrackerToPeer};
use viral_wire::{Digest, Frame, Piece, PieceId};

use super::counts::Totals;
use super::exchange::Exchange;
use super::manifests::{ArrivedPiece, KnownManifest};
use super::peers::Introduction;
use super::report::Giver;
use super::search::SearchOutput;
use super::talk::Talk;
use super::types::{Output, SessionConfig};
use super::withheld::Released;
use crate::fetch::{Accepted, Fault, PeerKey, Progress, Source};

/// One visitor in a swarm. Drive it as [`client`](super) says.
#[derive(Debug)]
pub struct Session {
    exchange: Exchange,
    talk: Talk,
}

impl Session {
    /// A visitor that came with these offers, at time 0.
    #[must_use]
    pub fn new(mut config: SessionConfig, offers: Vec<Offer>) -> Self {
        config.in_crowd &= config.meets;
        config.slots = if config.meets { config.slots } else { 0 };
        let exchange = Exchange::new(&config, &offers);
        let talk = Talk::new(config, &exchange, offers);
        Self { exchange, talk }
    }

    /// The first messages of each session with the tracker.
    #[must_use]
    pub fn registration(&self) -> Vec<PeerToTracker> {
        self.talk.registration(&self.exchange)
    }

    /// How far the download is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.exchange.fetch.progress()
    }

    /// What was taken from whom and given so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        self.talk.report.totals()
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
        self.talk.awaits_peer
    }

    /// Looks for a peer though nothing is known to be missing yet, until the tracker has none to offer; or no longer.
    pub fn await_peer(&mut self, awaits: bool) {
        self.talk.awaits_peer = awaits;
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
        self.talk.report_now(&self.exchange);
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
        self.talk.handle_lost(&mut self.exchange);
    }

    /// A signal could not be sent: the socket is full.
    pub fn handle_unsent(&mut self, signal: &PeerToTracker) {
        self.talk.handle_unsent(&mut self.exchange, signal);
    }

    /// The tracker says something.
    pub fn handle_signal(&mut self, now: u64, signal: TrackerToPeer) {
        self.at(now);
        self.talk.handle_signal(&mut self.exchange, signal);
    }

    /// Offers of an [`Output::Dial`] were answered: those that were of use.
    pub fn handle_dialled(&mut self, now: u64, dialled: &[(PeerKey, Introduction)]) {
        self.at(now);
        self.talk.handle_dialled(&mut self.exchange, now, dialled);
    }

    /// The answer of an [`Output::Accept`] became a connection.
    pub fn handle_accepted(&mut self, now: u64, peer: PeerKey, from: Introduction) {
        self.at(now);
        self.exchange.handle_answered(peer, from);
    }

    /// The answers that were to leave by post did.
    pub fn handle_posted(&mut self, now: u64) {
        self.at(now);
        self.talk.withheld.handle_posted();
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
        self.talk.report.handle_sent(len.into());
        self.exchange.serving.handle_buffered(self.exchange.now, peer, buffered);
        self.exchange.serving.handle_sent(self.exchange.now, peer, id, len);
        self.talk.report_soon(&self.exchange);
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
        self.talk.report.handle_kept(giver, len.into());
        if let Giver::Peer(Some(number)) = giver {
            self.talk.report.handle_rate(number, self.exchange.fetch.rate_of(source));
        }
        self.talk.report_soon(&self.exchange);
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
        self.talk.handle_taken_up(&mut self.exchange);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.at(now);
        self.talk.withheld.handle_timeout(now);
        self.exchange.handle_timeout();
        if self.talk.report.poll_timeout().is_some_and(|at| at <= self.exchange.now) {
            self.talk.report_now(&self.exchange);
        }
        let (met, misses) = (self.exchange.peers.met(self.exchange.now), self.talk.misses_something(&self.exchange));
        self.talk.search.handle_timeout(self.exchange.now, met, misses);
    }

    /// The next piece that came from a peer and is wanted: decode it and compare it with its digest, then [`Self::handle_verified`]. Ask until `None` after each frame,
    /// before anything else is heard of its sender, so that a liar has no time to leave.
    pub fn poll_piece(&mut self) -> Option<ArrivedPiece> {
        self.exchange.poll_piece()
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.talk.out.pop_front() {
                return Some(output);
            }
            if let Some(Released { peer, candidates }) = self.talk.withheld.poll() {
                return Some(Output::Reach { peer, candidates });
            }
            if let Some(event) = self.exchange.poll() {
                self.talk.handle_event(&mut self.exchange, event);
            } else if let Some(SearchOutput::Find { count }) = self.talk.search.poll() {
                self.talk.signal(PeerToTracker::Find { manifest: self.exchange.manifests.wanted(), count });
            } else {
                return None;
            }
        }
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let parts = [
            self.exchange.poll_timeout(),
            self.talk.report.poll_timeout(),
            self.talk.search.poll_timeout(),
            self.talk.withheld.poll_timeout(),
        ];
        parts.into_iter().flatten().min()
    }

    fn at(&mut self, now: u64) {
        self.exchange.at(now);
    }
}
