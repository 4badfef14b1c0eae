//! One visitor's connections to peers, and whose piece leaves next: as `links` and `link` of the native peer, with the shipped scheduler and window.

use std::collections::{BTreeMap, VecDeque};

use viral_swarm::fetch::PeerKey;
use viral_swarm::upload::{CongestionWindow, FairScheduler, Waiting};
use viral_wire::{Channel, Frame};

use crate::carrier::{ConnId, Side};
use crate::clock::{MS, Nanos};
use crate::context::Context;
use crate::message::{Payload, frame_len};

/// Bytes of pieces in flight over all connections together, besides twice what their paths hold. `LINE_LEN_MIN` of the native peer.
const LINE_LEN_MIN: usize = 48 * 1024;

/// A connection whose oldest piece is on its way for this long does not hold up the others. `STUCK` of the native peer.
const STUCK: Nanos = 500 * MS;

/// A channel with no more than this buffered asks for more, in bytes. `CHANNEL_LOW_BYTES` of the native peer.
const CHANNEL_LOW_BYTES: usize = 64 * 1024;

/// Bytes of frames that may wait for one connection. `LINK_QUEUE_BYTES_MAX` of the native peer.
pub const LINK_QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// On the network.
    pub conn: ConnId,
    /// Which end this is.
    pub side: Side,
    /// Both ends can send.
    pub is_open: bool,
    congestion: CongestionWindow,
    in_flight: usize,
    /// The most urgent first, equally urgent ones in the order in which they came.
    waiting: VecDeque<(u64, u32, Frame)>,
    queued: usize,
    served: u64,
    is_high: bool,
}

impl Link {
    /// Bytes that wait to be sent.
    #[must_use]
    pub fn buffered(&self) -> u64 {
        self.queued as u64
    }

    fn oldest(&self, context: &Context<'_>) -> Option<Nanos> {
        self.congestion.oldest().map(|at| context.nanos(at))
    }

    fn next_piece(&self, key: PeerKey, context: &Context<'_>) -> Option<Waiting> {
        let (urgency, len, _) = self.waiting.front().filter(|_| self.is_open)?;
        let fits = self.congestion.admits(context.instant(), self.in_flight, *len as usize);
        fits.then(|| {
            let stalled = self.congestion.is_stalled(context.instant());
            Waiting { peer: key, urgency: *urgency, served: self.served, stalled }
        })
    }
}

/// All connections of one visitor.
#[derive(Debug, Default)]
pub struct Line {
    links: BTreeMap<PeerKey, Link>,
    by_conn: BTreeMap<ConnId, PeerKey>,
    scheduler: FairScheduler,
    /// Connections that may send a piece, while [`Self::serve`] looks at them: kept for its room.
    may_send: Vec<Waiting>,
    serve_at: Option<Nanos>,
    /// Pieces that wait, of all connections.
    waiting: usize,
    /// A queue may have run low.
    may_be_low: bool,
    /// The longest queue there was, in bytes.
    pub queued_most: usize,
}

impl Line {
    /// A connection that does not open yet.
    pub fn insert(&mut self, context: &Context<'_>, key: PeerKey, conn: ConnId, side: Side) {
        let congestion = CongestionWindow::new(context.instant());
        let link =
            Link { conn, side, is_open: false, congestion, in_flight: 0, waiting: VecDeque::new(), queued: 0, served: 0, is_high: false };
        self.links.insert(key, link);
        self.by_conn.insert(conn, key);
    }

    /// The connection is over.
    pub fn remove(&mut self, key: PeerKey) -> Option<Link> {
        let link = self.links.remove(&key)?;
        self.waiting -= link.waiting.len();
        self.by_conn.remove(&link.conn);
        Some(link)
    }

    /// Whose connection it is.
    #[must_use]
    pub fn key_of(&self, conn: ConnId) -> Option<PeerKey> {
        self.by_conn.get(&conn).copied()
    }

    /// The connection of this name.
    #[must_use]
    pub fn get(&self, key: PeerKey) -> Option<&Link> {
        self.links.get(&key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Both names of all.
    pub fn keys(&self) -> impl Iterator<Item = PeerKey> + '_ {
        self.links.keys().copied()
    }

    /// It opened.
    pub fn handle_open(&mut self, key: PeerKey) {
        if let Some(link) = self.links.get_mut(&key) {
            link.is_open = true;
        }
    }

    /// Sends a frame, before less urgent ones of the same channel; `piece_len`: bytes of the piece in it. False if the connection cannot take it.
    pub fn send(&mut self, context: &mut Context<'_>, key: PeerKey, frame: Frame, urgency: u64, piece_len: u32) -> bool {
        let Some(link) = self.links.get_mut(&key).filter(|link| link.is_open) else { return false };
        let len = frame_len(&frame, piece_len);
        if link.queued + len as usize > LINK_QUEUE_BYTES_MAX {
            return false;
        }
        if frame.channel() == Channel::Control {
            context.net.send(context.now, link.conn, link.side, len, Payload::Frame(frame));
            return true;
        }
        let place = link.waiting.partition_point(|(other, ..)| *other >= urgency);
        link.waiting.insert(place, (urgency, len, frame));
        self.waiting += 1;
        link.queued += len as usize;
        link.is_high |= link.queued > CHANNEL_LOW_BYTES;
        self.queued_most = self.queued_most.max(link.queued);
        true
    }

    /// Less is in flight on a connection; whether its queue ran low by what left meanwhile.
    pub fn handle_acknowledged(&mut self, context: &mut Context<'_>, key: PeerKey) {
        if let Some(link) = self.links.get_mut(&key) {
            link.in_flight = context.net.in_flight(link.conn, link.side);
            link.congestion.note(context.instant(), link.in_flight);
        }
        self.serve(context);
    }

    /// Connections whose queue ran low since the last call, with what is left in it.
    pub fn poll_low(&mut self) -> Option<(PeerKey, u64)> {
        if !std::mem::take(&mut self.may_be_low) {
            return None;
        }
        let (key, link) = self.links.iter_mut().find(|(_, link)| link.is_high && link.queued <= CHANNEL_LOW_BYTES)?;
        link.is_high = false;
        self.may_be_low = true;
        Some((*key, link.queued as u64))
    }

    /// Whether [`Self::poll_low`] may have something to say.
    #[must_use]
    pub fn may_be_low(&self) -> bool {
        self.may_be_low
    }

    /// When [`Self::serve`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        self.serve_at
    }

    /// Sends pieces of one connection after the other, as long as the line has room.
    pub fn serve(&mut self, context: &mut Context<'_>) {
        if self.waiting == 0 {
            self.serve_at = None;
            return;
        }
        let mut waiting = std::mem::take(&mut self.may_send);
        waiting.clear();
        waiting.extend(self.links.iter().filter_map(|(key, link)| link.next_piece(*key, context)));
        if waiting.is_empty() {
            self.may_send = waiting;
            self.serve_at = self.next_stall(context);
            return;
        }
        let now = context.now;
        let due = |link: &Link, context: &Context<'_>| link.oldest(context).map(|since| since + STUCK).filter(|due| now < *due);
        let mut in_flight: usize = self.links.values().filter(|link| due(link, context).is_some()).map(|link| link.in_flight).sum();
        let may_send = |key: &PeerKey| waiting.binary_search_by_key(key, |one| one.peer).is_ok();
        let used = self.links.iter().filter(|(key, link)| link.in_flight > 0 || may_send(key));
        let room = LINE_LEN_MIN + used.map(|(_, link)| link.congestion.path_len()).sum::<usize>();
        while let Some((key, turn)) = self.scheduler.next(&waiting, in_flight < room) {
            let (len, more) = self.write_piece(context, key, turn);
            in_flight += len;
            if let Ok(place) = waiting.binary_search_by_key(&key, |one| one.peer) {
                match more.filter(|_| len > 0) {
                    Some(more) => waiting[place] = more,
                    None => drop(waiting.remove(place)),
                }
            }
        }
        let held_until = if waiting.is_empty() { None } else { self.links.values().filter_map(|link| due(link, context)).min() };
        self.serve_at = self.next_stall(context).into_iter().chain(held_until).min();
        self.may_send = waiting;
    }

    fn write_piece(&mut self, context: &mut Context<'_>, key: PeerKey, turn: u64) -> (usize, Option<Waiting>) {
        let Some(link) = self.links.get_mut(&key) else { return (0, None) };
        let Some((_, len, frame)) = link.waiting.pop_front() else { return (0, None) };
        self.waiting -= 1;
        self.may_be_low |= link.is_high;
        link.served = turn;
        link.queued -= len as usize;
        link.in_flight += len as usize;
        link.congestion.write(context.instant(), len as usize);
        context.net.send(context.now, link.conn, link.side, len, Payload::Frame(frame));
        (len as usize, link.next_piece(key, context))
    }

    /// When the next connection with a piece that waits counts as stalled.
    fn next_stall(&self, context: &Context<'_>) -> Option<Nanos> {
        let waiting = self.links.values().filter(|link| !link.waiting.is_empty());
        waiting.filter_map(|link| link.congestion.stalls_at()).map(|at| context.nanos(at)).filter(|at| *at > context.now).min()
    }
}
