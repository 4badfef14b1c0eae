//! What the session wants done.

use viral_swarm::client::config::LINKS_MAX;
use viral_swarm::client::peers::Introduction;
use viral_swarm::client::{Output, Session};
use viral_swarm::fetch::PeerKey;
use viral_wire::limits::OFFERS_PER_PEER_MAX;
use viral_wire::signal::{Answer, AnswerPost, Offer, PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Piece, PieceId};

use super::{Reason, Sabotage, Visitor};
use crate::carrier::{Kind, Side};
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::description;
use crate::line::LINK_QUEUE_BYTES_MAX;
use crate::message::Request;

/// A connection of which nothing is heard for this long is given up. `ICE_SILENCE` of the native peer.
const ICE_SILENCE: Nanos = 5_000 * MS;

/// Nothing came for so long that the origin may stand in, in milliseconds: the shortest such wait of a crowd, `LEASE_STALL_LAST_MS` of the engine.
const STALLED_MS: u64 = 4_000;

impl Visitor {
    /// Does everything that follows, until nothing does any more.
    pub(super) fn pump(&mut self, context: &mut Context<'_>) {
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.session.as_mut().and_then(Session::poll) {
                self.carry_out(context, output);
                self.verify_arrived(context);
                is_quiet = false;
            }
            self.line.serve(context);
            let now = self.now_ms(context);
            while let Some((key, buffered)) = self.line.poll_low() {
                self.with(|session| session.handle_buffered(now, key, buffered));
                is_quiet = false;
            }
            if is_quiet {
                break;
            }
        }
        if self.done_at.is_none() && self.is_whole() {
            self.handle_done(context);
        }
        self.check(context);
        self.schedule(context);
    }

    fn check(&self, context: &mut Context<'_>) {
        context.invariants.queue(self.index, "connections", self.line.len(), LINKS_MAX);
        context.invariants.queue(self.index, "offers that wait", self.offers.len(), OFFERS_PER_PEER_MAX);
        context.invariants.queue(self.index, "bytes for one peer", self.line.queued_most, LINK_QUEUE_BYTES_MAX);
    }

    /// Sees that it is woken when its line wants to be looked at.
    pub(super) fn wake_for_line(&mut self, context: &mut Context<'_>) {
        if let Some(at) = self.line.poll_timeout().map(|at| at.max(context.now)) {
            self.wake_at(context, at);
        }
    }

    fn wake_at(&mut self, context: &mut Context<'_>, at: Nanos) {
        if self.wake_at.is_none_or(|known| at < known) {
            self.wake_at = Some(at);
            context.timeline.push(at, Event::Wake(self.index));
        }
    }

    fn schedule(&mut self, context: &mut Context<'_>) {
        let session = self.session.as_ref().and_then(Session::poll_timeout).map(|ms| self.start.saturating_add(ms.saturating_mul(MS)));
        let Some(at) = session.into_iter().chain(self.line.poll_timeout()).min().map(|at| at.max(context.now)) else { return };
        self.wake_at(context, at);
    }

    fn carry_out(&mut self, context: &mut Context<'_>, output: Output) {
        match output {
            Output::Signal(signal) => {
                if !self.socket.send(context, signal.clone()) {
                    self.with(|session| session.handle_unsent(&signal));
                }
            }
            Output::Register(signals) => self.socket.register = signals,
            Output::Frame { peer, frame, urgency } => drop(self.line.send(context, peer, frame, urgency, 0)),
            Output::AskManifest { manifest } => self.ask(context, Request::Manifest(manifest)),
            Output::AskPieces { ids } => self.ask_pieces(context, ids),
            Output::Dial { offers, by_post, tell } => self.dial(context, offers, by_post, tell),
            // No visitor of a simulation is behind a NAT.
            Output::Reach { .. } => {}
            Output::MakeOffers { count } => self.make_offers(context, count),
            Output::Accept { offer, number, description, push, beyond } => {
                if let Some(key) = self.accept(context, offer, &description) {
                    let now = self.now_ms(context);
                    self.with(|session| session.handle_accepted(now, key, Introduction { number, offer, push, dialled: false, beyond }));
                }
            }
            Output::WithdrawOffers => self.offers.clear(),
            Output::Close { peer, reason: _ } => {
                if let Some(link) = self.line.remove(peer) {
                    context.net.close(context.now, link.conn, link.side, link.is_open);
                }
            }
            Output::SendPiece { peer, id, urgency } => self.send_piece(context, peer, id, urgency),
            Output::TakeUp { replaced: _ } => self.take_up(context),
            Output::Failed(_) => self.reason = Some(Reason::Refused),
            Output::Refused(refusal) => self.refuse(&refusal),
        }
    }

    pub(super) fn ask(&mut self, context: &mut Context<'_>, request: Request) {
        let endpoint = self.endpoint();
        self.http.request(context, endpoint, request);
    }

    fn ask_pieces(&mut self, context: &mut Context<'_>, ids: Vec<PieceId>) {
        let now = self.now_ms(context);
        let Some(session) = &self.session else { return };
        let (is_alone, idle) = (session.opened() == 0, now.saturating_sub(session.advanced_at().0));
        let mut causes = context.invariants.causes;
        for id in &ids {
            let cause = if self.leased.contains(id) {
                &mut causes.leased
            } else if is_alone {
                &mut causes.alone
            } else if idle >= STALLED_MS {
                &mut causes.stalled
            } else {
                &mut causes.hedged
            };
            *cause += 1;
            self.book.ask(context.invariants, self.index, *id, self.held.contains(id));
            if self.sabotage == Sabotage::AsksTwice {
                self.book.ask(context.invariants, self.index, *id, self.held.contains(id));
            }
        }
        context.invariants.causes = causes;
        self.ask(context, Request::Pieces(ids));
    }

    pub(super) fn note_lease(&mut self, signal: &TrackerToPeer) {
        let TrackerToPeer::Share { manifest, pieces } = signal else { return };
        let Some(known) = self.session.as_ref().and_then(Session::current).filter(|known| known.digest == *manifest) else {
            // It came before the manifest: the first pieces, as the tracker gives them.
            self.early_lease.clone_from(pieces);
            return;
        };
        self.leased.extend(pieces.iter().filter_map(|place| known.pieces.get(*place as usize)).map(Piece::id));
    }

    /// Prepares a connection for each offer that is of use, and answers them.
    fn dial(&mut self, context: &mut Context<'_>, offers: Vec<Offer>, by_post: bool, tell: Option<u32>) {
        let (mut answers, mut dialled) = (Vec::new(), Vec::new());
        for Offer { peer, offer, description, push, beyond, .. } in offers {
            let Some(maker) = description::visitor(&description).filter(|_| self.line.len() < LINKS_MAX) else { continue };
            let conn = context.net.open(context.now, Kind::DataChannel, self.endpoint(), maker + 1);
            let Some(answer) = description::description(self.index, Some(conn)) else { continue };
            let key = self.fresh_key();
            self.line.insert(context, key, conn, Side::A);
            context.timeline.push(context.now + ICE_SILENCE, Event::Unheard(self.index, key));
            dialled.push((key, Introduction { number: peer, offer, push, dialled: true, beyond }));
            answers.push(Answer { peer, offer, description: answer });
        }
        let now = self.now_ms(context);
        self.with(|session| session.handle_dialled(now, &dialled));
        if answers.is_empty() {
            return;
        }
        if !by_post {
            self.socket.send(context, PeerToTracker::Answers { answers, tell });
        } else if let Some(ticket) = self.ticket {
            self.ask(context, Request::Answers(Box::new(AnswerPost { ticket, answers })));
        }
    }

    fn make_offers(&mut self, context: &mut Context<'_>, count: u8) {
        let mut made = Vec::new();
        for _ in 0..count {
            if self.offers.len() >= OFFERS_PER_PEER_MAX {
                self.offers.remove(0);
            }
            let Some(description) = description::description(self.index, None) else { continue };
            self.offers.push(self.next_offer);
            made.push(ReadyOffer { offer: self.next_offer, description });
            self.next_offer += 1;
        }
        if !made.is_empty() {
            self.socket.send(context, PeerToTracker::Offers { offers: made });
        }
    }

    /// Somebody answered an offer: its connection begins, if the offer is there still.
    fn accept(&mut self, context: &mut Context<'_>, offer: u32, answer: &viral_wire::Description) -> Option<PeerKey> {
        let place = self.offers.iter().position(|waiting| *waiting == offer)?;
        self.offers.remove(place);
        let conn = description::conn(answer).filter(|conn| context.net.end(*conn, Side::B) == Some(self.endpoint()))?;
        let key = self.fresh_key();
        self.line.insert(context, key, conn, Side::B);
        context.net.start(context.now, conn);
        context.timeline.push(context.now + ICE_SILENCE, Event::Unheard(self.index, key));
        Some(key)
    }

    fn fresh_key(&mut self) -> PeerKey {
        self.next_key += 1;
        self.next_key - 1
    }

    fn send_piece(&mut self, context: &mut Context<'_>, key: PeerKey, id: PieceId, urgency: u64) {
        let now = self.now_ms(context);
        let len = context.versions.iter().rev().find_map(|version| version.len_of(&id));
        let Some((frame, len)) = self.piece_frame(id).zip(len) else {
            return self.with(|session| {
                session.handle_gone(&id);
                session.handle_piece_unsent(now, key, id);
            });
        };
        if self.line.send(context, key, frame, urgency, len) {
            // What was sent leaves before the next piece is read.
            self.line.serve(context);
            let buffered = self.line.get(key).map_or(0, |link| link.buffered());
            self.with(|session| session.handle_sent(now, key, id, len, buffered));
        } else {
            self.with(|session| session.handle_piece_unsent(now, key, id));
        }
    }

    /// A manifest is here: its pieces are named, and those of the document that came with it are found.
    fn take_up(&mut self, context: &mut Context<'_>) {
        let now = self.now_ms(context);
        let Some(session) = &mut self.session else { return };
        let Some((digest, pieces)) = session.current().map(|known| (known.digest, known.pieces.clone())) else { return };
        let early = std::mem::take(&mut self.early_lease);
        self.leased.extend(early.iter().filter_map(|place| pieces.get(*place as usize)).map(Piece::id));
        let held = &self.held;
        session.add_pieces(now, &pieces, |id| held.contains(id));
        let document = self.document.take().and_then(|version| context.versions.get(version)).filter(|version| version.digest == digest);
        if let Some(version) = document {
            for piece in &version.pieces[..version.document_pieces] {
                if self.held.insert(piece.id()) {
                    session.handle_found(now, &[*piece]);
                }
            }
        }
        session.handle_taken_up(now);
    }
}
