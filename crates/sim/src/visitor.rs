//! One visitor: the shipped [`Session`] and around it what `crates/peer` is around it, without bytes, files and sockets.

mod outputs;
mod visit;

use std::collections::HashSet;

use viral_swarm::client::{Refusal, Session};
use viral_swarm::fetch::{PeerKey, Source};
use viral_wire::{Frame, PieceId, Ticket};

use crate::carrier::{ConnId, NetEvent};
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::http::Http;
use crate::invariants::OriginBook;
use crate::line::Line;
use crate::message::{Answer, Payload};
use crate::plan::Client;
use crate::socket::Socket;

/// A download is given up when nothing came for this long. `STALL` of the native peer.
const STALL_MS: u64 = 40_000;

/// How often that is looked at.
const LOOK: Nanos = 1_000 * MS;

/// The body that stands for a genuine piece, and for another.
pub const GENUINE: u8 = 0;
/// See [`GENUINE`].
pub const FORGED: u8 = 1;

/// Why somebody has not got the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It left before.
    Left,
    /// It stopped working.
    Failed,
    /// Nothing came for forty seconds, and it gave up.
    Stalled,
    /// The tracker dropped it, or does not know the page.
    Refused,
    /// The origin did not answer the visit in time.
    Unanswered,
    /// The run ended too soon after it came, or while the origin was still sending.
    TooLate,
}

/// How the visit was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// With the whole page.
    Full,
    /// With the loader.
    Thin,
    /// With nothing of ours.
    Plain,
}

/// A fault of this host that a test plants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// None.
    #[default]
    None,
    /// It takes every piece for genuine.
    TrustsEverybody,
    /// It asks the origin twice for each piece.
    AsksTwice,
    /// It does not tell the session what the origin sent.
    LosesPieces,
}

/// One visitor.
pub struct Visitor {
    /// Its place in the plan.
    pub index: usize,
    /// Time zero of its session.
    start: Nanos,
    session: Option<Session>,
    line: Line,
    http: Http,
    socket: Socket,
    /// Offers that nobody answered, oldest first.
    offers: Vec<u32>,
    next_offer: u32,
    next_key: PeerKey,
    held: HashSet<PieceId>,
    /// The version whose document came with a full answer.
    document: Option<usize>,
    /// Requests for assets that are not answered.
    assets_left: usize,
    /// Requests for the page.
    visits: u32,
    /// Bytes that it took from the origin without a session.
    loaded_bytes: u64,
    ticket: Option<Ticket>,
    /// Pieces that the tracker granted.
    leased: HashSet<PieceId>,
    /// Places of pieces that it granted before the manifest was here.
    early_lease: Vec<u32>,
    book: OriginBook,
    wake_at: Option<Nanos>,
    has_failed: bool,
    /// What it had come to when it went.
    pub last: Account,
    /// What a test breaks.
    pub sabotage: Sabotage,
    /// How it was answered.
    pub answered: Option<Answered>,
    /// When it had the app.
    pub done_at: Option<Nanos>,
    /// Why it has not.
    pub reason: Option<Reason>,
}

/// What is left of a visitor at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// Verified bytes from peers.
    pub from_peers: u64,
    /// Bytes from the origin.
    pub from_origin: u64,
    /// Bytes given to peers.
    pub to_peers: u64,
    /// Pieces held.
    pub held: usize,
    /// Pieces known.
    pub total: usize,
}

impl Visitor {
    /// Somebody who comes now.
    #[must_use]
    pub fn new(index: usize, sabotage: Sabotage) -> Self {
        Self {
            index,
            start: 0,
            session: None,
            line: Line::default(),
            http: Http::default(),
            socket: Socket::default(),
            offers: Vec::new(),
            next_offer: 1,
            next_key: 1,
            held: HashSet::new(),
            document: None,
            assets_left: 0,
            visits: 0,
            loaded_bytes: 0,
            ticket: None,
            leased: HashSet::new(),
            early_lease: Vec::new(),
            book: OriginBook::default(),
            wake_at: None,
            has_failed: false,
            last: Account::default(),
            sabotage,
            answered: None,
            done_at: None,
            reason: None,
        }
    }

    fn endpoint(&self) -> usize {
        self.index + 1
    }

    /// The session's time, in milliseconds.
    fn now_ms(&self, context: &Context<'_>) -> u64 {
        (context.now - self.start) / MS
    }

    /// What it came to so far.
    #[must_use]
    pub fn account(&self) -> Account {
        let progress = self.session.as_ref().map(Session::progress).unwrap_or_default();
        let totals = self.session.as_ref().map(Session::totals);
        Account {
            from_peers: totals.map_or(0, |totals| totals.bytes_from_peers),
            from_origin: totals.map_or(0, |totals| totals.bytes_from_origin) + self.loaded_bytes,
            to_peers: totals.map_or(0, |totals| totals.bytes_to_peers),
            held: progress.held,
            total: progress.total,
        }
    }

    /// Something happened on one of its connections.
    pub fn handle_net(&mut self, context: &mut Context<'_>, event: NetEvent) {
        if self.has_failed {
            return;
        }
        match event {
            NetEvent::Opened { conn, .. } => {
                if let Some(key) = self.line.key_of(conn) {
                    self.line.handle_open(key);
                    let now = self.now_ms(context);
                    self.with(|session| session.handle_open(now, key));
                }
            }
            NetEvent::Message { conn, payload, .. } => self.handle_message(context, conn, payload),
            NetEvent::Acknowledged { conn, .. } => {
                if let Some(key) = self.line.key_of(conn) {
                    self.line.handle_acknowledged(context, key);
                }
                if !self.line.may_be_low() {
                    // By far the most frequent event, and the session hears nothing of it.
                    return self.wake_for_line(context);
                }
            }
            NetEvent::Closed { conn, .. } => self.handle_closed(context, conn),
        }
        self.pump(context);
    }

    fn with(&mut self, act: impl FnOnce(&mut Session)) {
        if let Some(session) = &mut self.session {
            act(session);
        }
    }

    fn handle_message(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) {
        let now = self.now_ms(context);
        match payload {
            Payload::Frame(frame) => {
                if let Some(key) = self.line.key_of(conn) {
                    self.with(|session| session.handle_frame(now, key, frame));
                    self.verify_arrived(context);
                }
            }
            Payload::Answer(Answer::Upgraded) => {
                if self.socket.is(conn) {
                    self.socket.handle_up(context);
                }
            }
            Payload::Answer(answer) => {
                if answer.is_last() {
                    self.http.handle_done(context.now, conn);
                }
                self.handle_answer(context, answer);
            }
            Payload::Told(signal) => {
                if self.socket.is(conn) {
                    self.socket.handle_heard();
                    self.note_lease(&signal);
                    self.with(|session| session.handle_signal(now, *signal));
                }
            }
            Payload::SocketClosed => {
                if self.socket.is(conn) {
                    self.handle_lost(context);
                }
            }
            Payload::Signal(_) | Payload::Request(_) => {}
        }
    }

    fn handle_lost(&mut self, context: &mut Context<'_>) {
        let now = self.now_ms(context);
        self.with(|session| session.handle_lost(now));
        self.socket.handle_lost(context, self.index);
    }

    fn handle_closed(&mut self, context: &mut Context<'_>, conn: ConnId) {
        let now = self.now_ms(context);
        if let Some(key) = self.line.key_of(conn) {
            self.with(|session| session.handle_closed(now, key));
        } else if self.socket.is(conn) {
            self.handle_lost(context);
        }
    }

    fn handle_answer(&mut self, context: &mut Context<'_>, answer: Answer) {
        let now = self.now_ms(context);
        match answer {
            Answer::Visit(answer) => self.handle_visit(context, *answer),
            Answer::Assets => self.handle_assets(context),
            Answer::Manifest(digest, is_there) => {
                let blob = context.versions.iter().find(|version| version.digest == digest && is_there).map(|version| version.blob.clone());
                self.with(|session| session.handle_manifest(now, digest, blob));
            }
            Answer::Piece(id) => {
                if self.sabotage != Sabotage::LosesPieces && self.session.as_mut().is_some_and(|session| session.accept_from_origin(id)) {
                    self.verify(context, Source::Origin, id, true);
                }
            }
            Answer::Served(ids) => {
                ids.iter().filter(|id| !self.held.contains(*id)).for_each(|id| self.book.failed(*id));
                self.with(|session| session.handle_origin_served(now, &ids));
            }
            Answer::Answered(taken) => {
                self.with(|session| if taken { session.handle_posted(now) } else { session.handle_post_failed(now) });
            }
            Answer::Upgraded => {}
        }
    }

    /// Pieces that came from peers are verified.
    fn verify_arrived(&mut self, context: &mut Context<'_>) {
        while let Some(arrived) = self.session.as_mut().and_then(Session::poll_piece) {
            let is_genuine = arrived.body.first() == Some(&GENUINE);
            self.verify(context, Source::Peer(arrived.peer), arrived.id, is_genuine);
        }
    }

    fn verify(&mut self, context: &mut Context<'_>, source: Source, id: PieceId, is_genuine: bool) {
        let now = self.now_ms(context);
        let Some(session) = &mut self.session else { return };
        let Some(digest) = session.current().map(|known| known.digest) else { return };
        let Some(len) = context.versions.iter().find(|version| version.digest == digest).and_then(|version| version.len_of(&id)) else {
            return;
        };
        let is_taken = is_genuine || self.sabotage == Sabotage::TrustsEverybody;
        if session.handle_verified(now, source, id, is_taken) {
            self.held.insert(id);
            context.invariants.delivered(self.index, id, is_genuine);
            session.handle_kept(now, source, id, len);
        }
    }

    /// Its own timers.
    pub fn handle_wake(&mut self, context: &mut Context<'_>) {
        if self.has_failed || self.wake_at.is_none_or(|at| at > context.now) {
            return;
        }
        self.wake_at = None;
        let now = self.now_ms(context);
        if self.session.as_ref().and_then(Session::poll_timeout).is_some_and(|at| at <= now) {
            self.with(|session| session.handle_timeout(now));
        }
        if self.line.poll_timeout().is_some_and(|at| at <= context.now) {
            self.line.serve(context);
        }
        self.pump(context);
    }

    /// A session with the tracker is tried again.
    pub fn handle_reconnect(&mut self, context: &mut Context<'_>) {
        if !self.has_failed && self.session.is_some() && !self.socket.is_begun() {
            let endpoint = self.endpoint();
            self.socket.connect(context, endpoint);
        }
    }

    /// A connection of which nothing was heard since it was dialled or answered is over.
    pub fn handle_unheard(&mut self, context: &mut Context<'_>, key: PeerKey) {
        if self.has_failed || self.line.get(key).is_none_or(|link| link.is_open) {
            return;
        }
        let now = self.now_ms(context);
        self.with(|session| session.handle_closed(now, key));
        self.pump(context);
    }

    /// Looks whether the download stands still. True: it is given up.
    pub fn handle_look(&mut self, context: &mut Context<'_>) -> bool {
        if self.done_at.is_some() || self.has_failed || self.reason.is_some() {
            return false;
        }
        let now = self.now_ms(context);
        if self.answered.is_none() && self.ask_again(context) {
            return true;
        }
        let is_stalled = self.session.as_ref().is_some_and(|session| now.saturating_sub(session.advanced_at().0) >= STALL_MS);
        if is_stalled && context.plan.visitors[self.index].client == Client::Native {
            self.reason = Some(Reason::Stalled);
            return true;
        }
        context.timeline.push(context.now + LOOK, Event::Look(self.index));
        false
    }

    /// It goes, and says so.
    pub fn handle_leave(&mut self, context: &mut Context<'_>) {
        if self.done_at.is_none() {
            self.reason.get_or_insert(Reason::Left);
        }
        if !self.has_failed {
            let now = self.now_ms(context);
            self.with(|session| session.leave(now));
            self.pump(context);
        }
        self.close_all(context);
    }

    /// It is killed (its kernel closes TCP, and nobody else hears of it), or stands still from now on.
    pub fn handle_fail(&mut self, context: &mut Context<'_>, is_killed: bool) {
        self.has_failed = true;
        if self.done_at.is_none() {
            self.reason = Some(Reason::Failed);
        }
        context.net.mute(self.endpoint());
        if is_killed {
            self.close_all(context);
        }
    }

    fn close_all(&mut self, context: &mut Context<'_>) {
        self.last = self.account();
        for key in self.line.keys().collect::<Vec<_>>() {
            if let Some(link) = self.line.remove(key) {
                context.net.close(context.now, link.conn, link.side, !self.has_failed);
            }
        }
        self.socket.close(context);
        self.http.close(context);
        self.session = None;
    }

    /// Whether the shipped machine of this visitor is done with the page's app.
    fn is_whole(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.current().is_some() && session.progress().done)
    }

    /// Whether it waits for what the origin sends.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.assets_left > 0
    }

    /// Somebody waits for the tracker's word no more.
    fn refuse(&mut self, refusal: &Refusal) {
        if self.done_at.is_none()
            && self.session.as_ref().is_some_and(|session| session.current().is_none())
            && matches!(refusal, Refusal::Unknown(_))
        {
            self.reason = Some(Reason::Refused);
        }
    }

    /// A piece as it travels, and whether it can be read.
    fn piece_frame(&self, id: PieceId) -> Option<Frame> {
        let is_here = self.held.contains(&id);
        is_here.then(|| Frame::Piece { id, encoding: viral_wire::frame::Encoding::Raw, body: vec![GENUINE] })
    }
}
