//! Who is served next.
//!
//! Sans-IO: call one `handle_*`, drain [`Upload::poll`] until `None`, then sleep until [`Upload::poll_timeout`] and call
//! [`Upload::handle_timeout`]. Same decisions as `browser/src/core/upload.ts`; `vectors/upload` holds both to it.

pub mod config;
mod congestion_window;
mod fair_scheduler;
mod queue;
mod send_queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use viral_wire::PieceId;
use viral_wire::limits::WANT_IDS_MAX;

use crate::fetch::{Fault, PeerKey};
use queue::UploadQueue;

pub use config::{
    BUFFER_LEN_HIGH, BUFFER_LEN_LOW, BURST_MS, DAY_MS, OVERFLOWS_MAX, PEERS_MAX, PENDING_CAPPED_MAX, PENDING_MAX, QUEUE_IDS_MAX, RATE_MAX,
    REFILL_MS_MAX, SLOTS, STALL_MS, TAKES_MAX, UploadConfig,
};
pub use congestion_window::CongestionWindow;
pub use fair_scheduler::{FairScheduler, Waiting};
pub use send_queue::SendQueue;

/// Reason of a `refuse`: the piece is not here.
pub const NOT_HELD: u8 = 1;
/// Reason of a `refuse`: others are served now.
pub const BUSY: u8 = 2;
/// Reason of a `refuse`: the volume cap is reached.
pub const CAPPED: u8 = 3;

const NEVER: u64 = u64::MAX;

/// What the shell must do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum UploadOutput {
    /// Read the piece and send it; then [`Upload::handle_sent`], or [`Upload::handle_missing`] when it is not there any more.
    Send {
        /// To whom.
        peer: PeerKey,
        /// Which piece.
        id: PieceId,
    },
    /// Send a `refuse`.
    Refuse {
        /// To whom.
        peer: PeerKey,
        /// [`NOT_HELD`], [`BUSY`] or [`CAPPED`].
        reason: u8,
        /// At most [`WANT_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// Close the connection and report the fault; the engine has forgotten the peer already.
    Drop {
        /// Whose connection.
        peer: PeerKey,
        /// [`Fault::Malformed`] for a flood, [`Fault::Silent`] for a channel that does not move.
        fault: Fault,
    },
}

/// Serves the peers of one page. Time is in milliseconds and never decreases.
#[derive(Debug)]
pub struct Upload {
    /// Whoever waits longest comes first.
    queues: Vec<UploadQueue>,
    out: VecDeque<UploadOutput>,
    slots: usize,
    rate: u64,
    /// The volume cap of each day; 0 = none.
    volume: u64,
    /// What of this day's was given.
    given: u64,
    /// When the next day begins.
    day_ends: u64,
    /// Bytes held here, if the shell says so.
    held: Option<u64>,
    now: u64,
    /// Thousandths of bytes that may be sent now; negative = in debt.
    tokens: i64,
}

impl Upload {
    /// An engine without peers.
    #[must_use]
    pub fn new(config: UploadConfig) -> Self {
        let rate = config.bytes_per_s.min(RATE_MAX);
        let UploadConfig { slots, bytes_max: volume, bytes_given: given, .. } = config;
        let (queues, out) = (Vec::new(), VecDeque::new());
        Self { queues, out, slots, rate, volume, given, day_ends: DAY_MS, held: None, now: 0, tokens: burst(rate) }
    }

    /// The slots and the rate the tracker or the operator allow now. Queued pieces stay queued, unless nobody is served any more.
    pub fn handle_limits(&mut self, now: u64, slots: usize, bytes_per_s: u64) {
        self.at(now);
        self.slots = slots;
        self.rate = bytes_per_s.min(RATE_MAX);
        self.tokens = self.tokens.min(burst(self.rate));
        if slots == 0 {
            self.clear(BUSY);
        }
    }

    /// The volume that the tracker or the operator allow in each day now; 0 = any. What was given of this day's counts.
    pub fn handle_volume(&mut self, now: u64, bytes_max: u64) {
        self.at(now);
        self.volume = bytes_max;
        self.charge(0);
    }

    /// Whether nothing more is given this day.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.volume > 0 && self.given >= self.volume
    }

    /// So many bytes are held here: no connection takes more than [`TAKES_MAX`] times as much. `renewed` when others than before are held, a new version: everybody may
    /// take those, whatever it took before.
    pub fn handle_held(&mut self, bytes: u64, renewed: bool) {
        self.held = Some(bytes);
        if renewed {
            self.queues.iter_mut().for_each(|queue| queue.taken = 0);
        }
    }

    /// Something else than a piece was handed to a channel, a manifest: the caps hold for it, too.
    pub fn handle_other_sent(&mut self, now: u64, wire_bytes: u64) {
        self.at(now);
        self.charge(wire_bytes);
    }

    /// Until when the rate cap allows nothing more, in milliseconds; `None` = something may be sent now.
    pub fn throttled_until(&mut self, now: u64) -> Option<u64> {
        self.at(now);
        self.is_throttled().then(|| self.refilled_at())
    }

    /// Both channels of a peer opened; `push` is sent unasked.
    pub fn handle_open(&mut self, now: u64, peer: PeerKey, push: &[PieceId]) {
        self.at(now);
        if self.find(peer).is_some() || self.queues.len() >= PEERS_MAX {
            return;
        }
        self.queues.push(UploadQueue::new(peer));
        let placed = self.enqueue(self.queues.len() - 1, &distinct(push));
        if let Some(at) = self.find(peer) {
            self.queues[at].pushed.extend(placed);
        }
    }

    /// A peer asks for pieces; `held` tells which ones are here, verified.
    pub fn handle_want(&mut self, now: u64, peer: PeerKey, ids: &[PieceId], held: impl Fn(&PieceId) -> bool) {
        self.at(now);
        let Some(at) = self.find(peer) else { return };
        let queue = &mut self.queues[at];
        let mut fresh = distinct(ids);
        fresh.retain(|id| !queue.pieces.contains(id) && !queue.pending.contains(id) && !queue.pushed.remove(id));
        let (here, gone): (Vec<_>, Vec<_>) = fresh.into_iter().partition(held);
        self.refuse(peer, NOT_HELD, &gone);
        self.enqueue(at, &here);
    }

    /// A peer no longer wants these.
    pub fn handle_cancel(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.find(peer) else { return };
        let queue = &mut self.queues[at];
        for id in ids {
            if queue.pieces.remove(id) {
                queue.pushed.remove(id);
            }
        }
    }

    /// A peer's connection ended.
    pub fn handle_closed(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        self.queues.retain(|queue| queue.peer != peer);
    }

    /// What the peer's channel has buffered now, in bytes: to be told after each send and at each low event.
    ///
    /// Sums of what was sent would not do: a channel that drains below the low mark as fast as it is filled has no low event.
    pub fn handle_buffered(&mut self, now: u64, peer: PeerKey, bytes: u64) {
        self.at(now);
        if let Some(at) = self.find(peer) {
            self.queues[at].buffer(self.now, bytes);
        }
    }

    /// A piece was handed to the channel: `wire_bytes` with its frame. [`Self::handle_buffered`] goes before it.
    pub fn handle_sent(&mut self, now: u64, peer: PeerKey, id: PieceId, wire_bytes: u32) {
        self.at(now);
        self.charge(wire_bytes.into());
        if let Some(at) = self.find(peer) {
            self.queues[at].taken += u64::from(wire_bytes);
            self.queues[at].pending.remove(&id);
        }
    }

    /// A piece that was to be sent is not there any more.
    pub fn handle_missing(&mut self, now: u64, peer: PeerKey, id: PieceId) {
        self.at(now);
        let Some(at) = self.find(peer) else { return };
        self.queues[at].pending.remove(&id);
        self.queues[at].pushed.remove(&id);
        self.refuse(peer, NOT_HELD, &[id]);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.at(now);
        let stalled = |queue: &&UploadQueue| queue.full && queue.since + STALL_MS <= self.now;
        let peers: Vec<PeerKey> = self.queues.iter().filter(stalled).map(|queue| queue.peer).collect();
        for peer in peers {
            self.drop_peer(peer, Fault::Silent);
        }
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<UploadOutput> {
        if let Some(output) = self.out.pop_front() {
            return Some(output);
        }
        if self.is_throttled() {
            return None;
        }
        let pending_max = self.pending_max();
        let at = self.queues.iter().position(|queue| queue.is_sendable(pending_max))?;
        // Whoever was served goes to the end of the queue.
        let mut queue = self.queues.remove(at);
        let id = queue.pieces.pop_front();
        let peer = queue.peer;
        queue.pending.extend(id);
        self.queues.push(queue);
        id.map(|id| UploadOutput::Send { peer, id })
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let stall = self.queues.iter().filter(|queue| queue.full).map(|queue| queue.since + STALL_MS).min().unwrap_or(NEVER);
        let mut refill = NEVER;
        let pending_max = self.pending_max();
        if self.is_throttled() && self.queues.iter().any(|queue| queue.is_sendable(pending_max)) {
            refill = self.refilled_at();
        }
        let at = stall.min(refill);
        (at != NEVER).then_some(at)
    }

    fn at(&mut self, now: u64) {
        let ms = now.saturating_sub(self.now).min(REFILL_MS_MAX);
        self.now = self.now.max(now);
        self.tokens = (self.tokens + (ms * self.rate).cast_signed()).min(burst(self.rate));
        if self.now >= self.day_ends {
            self.given = 0;
            self.day_ends = self.now.saturating_add(DAY_MS);
        }
    }

    fn charge(&mut self, wire_bytes: u64) {
        if self.rate > 0 {
            self.tokens = self.tokens.saturating_sub_unsigned(wire_bytes.saturating_mul(1000));
        }
        self.given = self.given.saturating_add(wire_bytes);
        if self.is_spent() {
            self.clear(CAPPED);
        }
    }

    /// When a cap that holds things back allows the next.
    fn refilled_at(&self) -> u64 {
        self.now + self.tokens.unsigned_abs() / self.rate + 1
    }

    /// How many pieces for one peer may be handed out now.
    fn pending_max(&self) -> usize {
        if self.rate > 0 || self.volume > 0 { PENDING_CAPPED_MAX } else { PENDING_MAX }
    }

    fn is_throttled(&self) -> bool {
        self.rate > 0 && self.tokens <= 0
    }

    fn find(&self, peer: PeerKey) -> Option<usize> {
        self.queues.iter().position(|queue| queue.peer == peer)
    }

    /// Puts pieces into the peer's queue; refuses what has no place there. Gives back what has.
    fn enqueue(&mut self, at: usize, ids: &[PieceId]) -> Vec<PieceId> {
        let peer = self.queues[at].peer;
        let taken_out = self.held.is_some_and(|held| self.queues[at].taken > held.saturating_mul(TAKES_MAX));
        if self.is_spent() || taken_out {
            self.refuse(peer, CAPPED, ids);
            return Vec::new();
        }
        let served = self.slots > 0 && self.queues[at].is_served();
        let free = served || self.queues.iter().filter(|queue| queue.is_served()).count() < self.slots;
        let queue = &mut self.queues[at];
        let room = if free { (QUEUE_IDS_MAX - queue.pieces.len()).min(ids.len()) } else { 0 };
        let (placed, refused) = ids.split_at(room);
        for id in placed {
            queue.pieces.push_back(*id);
        }
        if served && !refused.is_empty() {
            queue.overflows += 1;
        }
        let flooding = queue.overflows > OVERFLOWS_MAX && served && !refused.is_empty();
        self.refuse(peer, BUSY, refused);
        if flooding {
            self.drop_peer(peer, Fault::Malformed);
        }
        placed.to_vec()
    }

    /// Refuses all that is queued.
    fn clear(&mut self, reason: u8) {
        for at in 0..self.queues.len() {
            let ids = self.queues[at].clear();
            self.refuse(self.queues[at].peer, reason, &ids);
        }
    }

    fn refuse(&mut self, peer: PeerKey, reason: u8, ids: &[PieceId]) {
        self.out.extend(ids.chunks(WANT_IDS_MAX).map(|ids| UploadOutput::Refuse { peer, reason, ids: ids.to_vec() }));
    }

    fn drop_peer(&mut self, peer: PeerKey, fault: Fault) {
        self.queues.retain(|queue| queue.peer != peer);
        self.out.push_back(UploadOutput::Drop { peer, fault });
    }
}

/// What the bucket of the rate cap holds, in thousandths of bytes.
fn burst(rate: u64) -> i64 {
    (rate * BURST_MS).cast_signed()
}

/// The ids in order, each once.
fn distinct(ids: &[PieceId]) -> Vec<PieceId> {
    let mut seen = BTreeSet::new();
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}
