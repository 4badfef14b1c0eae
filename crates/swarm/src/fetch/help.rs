//! Where peers are slow, the origin takes what is wanted from its other end, until both meet.

use super::config::{HELP_AFTER_MS, HELP_IDS, HELP_RATE, ORIGIN_IDS_MAX};
use super::debts::debts;
use super::piece_table::{ORIGIN, PieceTable};
use super::state::{NEVER, Ring};
use super::types::Source;

/// What the origin does for peers that are slow.
///
/// An account of its own, beside the budget of hedges: a hedge repeats what a peer may still send, so that its budget is a share of the app. Help is for what
/// nobody was asked for. All of it together is never more than a visit without peers takes, and the rate of the peers bounds it.
#[derive(Debug)]
pub(super) struct Help {
    /// When peers began to owe what is wanted; [`NEVER`] = they owe nothing of that.
    since: u64,
    /// The peers proved slow, now or at something that was wanted before.
    is_slow: bool,
    /// What is missing now takes them too long.
    is_needed: bool,
    /// Bytes of what is wanted now that the origin gave, less those that peers gave.
    pub(super) lead: i64,
}

impl Help {
    /// Nothing is known of the peers.
    pub(super) fn new() -> Self {
        Self { since: NEVER, is_slow: false, is_needed: false, lead: 0 }
    }

    /// A piece was verified.
    pub(super) fn count(&mut self, source: Option<Source>, len: u32) {
        match source {
            Some(Source::Origin) => self.lead += i64::from(len),
            Some(Source::Peer(_)) => self.lead -= i64::from(len),
            None => {}
        }
    }

    /// Looks whether the peers are too slow for what is missing.
    pub(super) fn watch(&mut self, table: &PieceTable) {
        let owing = table.sources[ORIGIN + 1..].iter().filter(|state| state.open && !state.flight.is_empty());
        let (count, rate) = owing.fold((0, 0), |(count, rate), state| (count + 1, rate + state.rate));
        let left = table.missing.saturating_sub(table.sources[ORIGIN].bytes);
        if table.missing == 0 {
            *self = Self { is_slow: self.is_slow, ..Self::new() };
        } else if count > 0 {
            self.since = self.since.min(table.now);
            if self.is_slow || table.now - self.since >= HELP_AFTER_MS {
                self.is_needed = rate < HELP_RATE && (self.is_needed || left * 1000 > rate * HELP_AFTER_MS);
                self.is_slow = rate < HELP_RATE && (self.is_slow || self.is_needed);
            }
        }
    }

    /// What the origin is asked for to help, if that is allowed now: last piece first, and of what peers owe only when nothing else is left.
    pub(super) fn pieces(&self, table: &PieceTable) -> Vec<usize> {
        // With little, until it proved to be faster than all peers together.
        let is_faster = self.lead > 0 && table.sources[ORIGIN].refusals == 0;
        if !self.is_needed || !(is_faster || table.requests.is_empty()) {
            return Vec::new();
        }
        let mut pieces = if table.free > 0 { last_free(table) } else { debts(table, ORIGIN) };
        pieces.truncate(if is_faster { ORIGIN_IDS_MAX } else { HELP_IDS });
        pieces
    }
}

fn last_free(table: &PieceTable) -> Vec<usize> {
    let rings = [Ring::Wanted, Ring::Demanded].into_iter();
    let last_first =
        rings.flat_map(|ring| table.queues[ring as usize].iter().rev().copied().filter(move |&i| table.pieces[i].ring == ring));
    last_first.filter(|&i| table.is_free(i)).take(ORIGIN_IDS_MAX).collect()
}
