//! The pieces that wait to be sent to one peer.

use std::collections::{BTreeMap, BTreeSet};

use viral_wire::PieceId;

use super::config::{BUFFER_LEN_HIGH, BUFFER_LEN_LOW};
use crate::fetch::PeerKey;

/// What one peer wants and how its channel does.
#[derive(Debug)]
pub(super) struct UploadQueue {
    pub(super) peer: PeerKey,
    /// Pieces to send, in order.
    pub(super) pieces: Queue,
    /// Pieces of the push plan, so that a `want` that crossed the push is not served twice.
    pub(super) pushed: BTreeSet<PieceId>,
    /// Handed to the shell and not yet reported sent.
    pub(super) pending: BTreeSet<PieceId>,
    /// Bytes of pieces that it was sent.
    pub(super) taken: u64,
    pub(super) buffered: u64,
    /// The channel was full and is not yet low.
    pub(super) full: bool,
    /// When the channel last moved while it was full.
    pub(super) since: u64,
    pub(super) overflows: u32,
}

impl UploadQueue {
    pub(super) fn new(peer: PeerKey) -> Self {
        Self {
            peer,
            pieces: Queue::default(),
            pushed: BTreeSet::new(),
            pending: BTreeSet::new(),
            taken: 0,
            buffered: 0,
            full: false,
            since: 0,
            overflows: 0,
        }
    }

    /// It takes one of the slots.
    pub(super) fn is_served(&self) -> bool {
        self.pieces.len() > 0 || !self.pending.is_empty()
    }

    /// A piece for it may be handed out now.
    pub(super) fn is_sendable(&self, pending_max: usize) -> bool {
        self.pieces.len() > 0 && !self.full && self.pending.len() < pending_max
    }

    /// Takes note of what the channel has buffered.
    pub(super) fn buffer(&mut self, now: u64, bytes: u64) {
        let full = if self.full { bytes > BUFFER_LEN_LOW } else { bytes >= BUFFER_LEN_HIGH };
        if bytes < self.buffered || !self.full {
            self.since = now;
        }
        self.buffered = bytes;
        self.full = full;
    }

    /// Empties the queue.
    pub(super) fn clear(&mut self) -> Vec<PieceId> {
        self.pushed.clear();
        std::mem::take(&mut self.pieces).order.into_values().collect()
    }
}

/// Distinct ids in order of arrival; every operation is logarithmic, whatever a peer cancels.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: BTreeMap<u64, PieceId>,
    places: BTreeMap<PieceId, u64>,
    next: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn contains(&self, id: &PieceId) -> bool {
        self.places.contains_key(id)
    }

    pub(super) fn push_back(&mut self, id: PieceId) {
        if self.contains(&id) {
            return;
        }
        self.next += 1;
        self.order.insert(self.next, id);
        self.places.insert(id, self.next);
    }

    pub(super) fn pop_front(&mut self) -> Option<PieceId> {
        let (_, id) = self.order.pop_first()?;
        self.places.remove(&id);
        Some(id)
    }

    pub(super) fn remove(&mut self, id: &PieceId) -> bool {
        let place = self.places.remove(id);
        place.is_some_and(|place| self.order.remove(&place).is_some())
    }
}
