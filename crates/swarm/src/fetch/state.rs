//! What the engine knows about a piece, and about one source of pieces: a peer or the origin.

use std::collections::BTreeMap;

use viral_wire::PieceId;

use super::config::{
    CROWD_OVERDUE_MS, CROWD_TIMEOUT_MS, EPOCH_MS, OVERDUE_MS, SLOW_MS, SLOW_RATE, TIMEOUT_MS, TIMEOUT_MS_MAX, WINDOW_LEN_MAX,
    WINDOW_LEN_MIN, WINDOW_LEN_START, WINDOW_MS,
};
use super::piece_set::PieceSet;
use super::types::Source;

/// A time that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// Which pieces come first. With every source all of a ring come before those of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ring {
    /// The page waits for them.
    Demanded,
    /// To be had from whoever gives them.
    Wanted,
    /// To be had from peers only, until the page demands them.
    Expected,
}

/// A piece and the sources that owe it, each with the place in its flight: at most two.
#[derive(Debug)]
pub(super) struct PieceState {
    pub(super) id: PieceId,
    pub(super) len: u32,
    pub(super) held: bool,
    pub(super) ring: Ring,
    /// Its place in the queue of its ring.
    pub(super) place: usize,
    pub(super) from: Vec<(Source, u64)>,
    /// Peers that said they have it.
    pub(super) availability: u32,
}

/// State of one source. Pieces are named by their index in the piece table.
#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) source: Source,
    /// The data channels are open (always true of the origin).
    pub(super) open: bool,
    /// It is behind another line: see [`PieceTable::beyond`](super::piece_table::PieceTable::beyond).
    pub(super) is_beyond: bool,
    /// Its `hello` arrived.
    pub(super) known: bool,
    /// It holds every piece of the page manifest.
    pub(super) complete: bool,
    /// Pieces it said it has.
    pub(super) has: PieceSet,
    /// Pieces that it may still send without being at fault.
    pub(super) asked: PieceSet,
    /// Pieces announced while dialling.
    pub(super) announced: Vec<usize>,
    /// Pieces it owes, by the order in which they were asked, and their bytes.
    pub(super) flight: BTreeMap<u64, usize>,
    pub(super) bytes: u64,
    /// In the queue of each ring every piece below this is of no interest to this source now.
    pub(super) cursors: [usize; 3],
    pub(super) window: u64,
    /// When it last delivered, or began to owe.
    pub(super) since: u64,
    /// Smoothed time between two pieces, in eighths of a millisecond.
    pub(super) gap: u64,
    /// Smoothed bytes per second; 0 = not measured.
    pub(super) rate: u64,
    pub(super) epoch_at: u64,
    pub(super) epoch_len: u64,
    pub(super) busy_at: u64,
    pub(super) overdue: bool,
    /// It sent a piece, or said which it has.
    pub(super) heard: bool,
    /// Left alone until then, after refusals or failures in a row.
    pub(super) pause: u64,
    pub(super) refusals: u32,
    /// Until then it may still say what it holds (or open at all).
    pub(super) grace: u64,
    /// It answered for all pieces below this.
    pub(super) answered: usize,
    /// End of the query that awaits its answer; 0 = none.
    pub(super) asking: usize,
    /// Has the waits of a crowd, where every line is shared by many: see [`Self::be_patient`].
    pub(super) patient: bool,
    /// Frames to send at the end of this round.
    pub(super) wants: Vec<PieceId>,
    pub(super) cancels: Vec<PieceId>,
}

impl SourceState {
    /// A source of which nothing is known yet.
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            open: source == Source::Origin,
            is_beyond: false,
            known: false,
            complete: false,
            has: PieceSet::default(),
            asked: PieceSet::default(),
            announced: Vec::new(),
            flight: BTreeMap::new(),
            bytes: 0,
            cursors: [0; 3],
            window: WINDOW_LEN_START,
            since: 0,
            gap: 0,
            rate: 0,
            epoch_at: NEVER,
            epoch_len: 0,
            busy_at: 0,
            overdue: false,
            heard: false,
            pause: NEVER,
            refusals: 0,
            grace: NEVER,
            answered: 0,
            asking: 0,
            patient: false,
            wants: Vec::new(),
            cancels: Vec::new(),
        }
    }

    /// Whether this is the origin.
    pub(super) fn is_origin(&self) -> bool {
        self.source == Source::Origin
    }

    /// The piece may be of interest to this source now.
    pub(super) fn turn_back(&mut self, piece: &PieceState) {
        let cursor = &mut self.cursors[piece.ring as usize];
        *cursor = piece.place.min(*cursor);
    }

    /// Every piece may be of interest to this source now.
    pub(super) fn start_over(&mut self) {
        self.cursors = [0; 3];
    }

    /// When a source that owes pieces is dropped for its silence.
    pub(super) fn timeout_at(&self) -> u64 {
        self.since + if self.patient { CROWD_TIMEOUT_MS } else { (3 * (self.gap >> 3)).clamp(TIMEOUT_MS, TIMEOUT_MS_MAX) }
    }

    /// When a source that owes pieces is overdue.
    pub(super) fn overdue_at(&self) -> u64 {
        let overdue_ms_min = if self.patient { CROWD_OVERDUE_MS } else { OVERDUE_MS };
        self.timeout_at().min(self.since + overdue_ms_min.max(self.gap >> 2))
    }

    /// In a crowd a line is shared by many: a gap says little, and a small window leaves the choice of the next piece for later.
    pub(super) fn be_patient(&mut self) {
        self.patient = true;
        if self.rate == 0 {
            self.window = WINDOW_LEN_MIN;
        }
    }

    /// Whether it opened and then said nothing in all the time it had for that: nobody waits for what it announced any more.
    pub(super) fn is_mute(&self) -> bool {
        self.open && self.grace == NEVER && !self.known && !self.heard && !self.patient && !self.is_origin()
    }

    /// Whether its silence counts: it owes something, or never said a word.
    pub(super) fn is_awaited(&self) -> bool {
        self.open && (!self.flight.is_empty() || self.is_mute())
    }

    /// The source is alive.
    pub(super) fn note_activity(&mut self, now: u64) {
        self.since = now;
        self.heard = true;
        self.overdue = false;
    }

    /// Takes note of a verified piece: gap, rate, window. True when the source proved too slow to keep.
    pub(super) fn measure(&mut self, now: u64, len: u64) -> bool {
        let gap = (now - self.since).min(TIMEOUT_MS_MAX);
        self.gap = if self.gap == 0 { gap * 8 } else { self.gap + gap - (self.gap >> 3) };
        self.note_activity(now);
        self.refusals = 0;
        if self.epoch_at == NEVER {
            // The first piece carries the round trip; the rate begins with the second.
            self.epoch_at = now;
            self.busy_at = now;
            return false;
        }
        self.epoch_len += len;
        let ms = now - self.epoch_at;
        if ms < EPOCH_MS {
            return false;
        }
        let rate = self.epoch_len * 1000 / ms;
        self.rate = if self.rate == 0 { rate } else { (self.rate * 3 + rate) / 4 };
        let window = (self.rate * WINDOW_MS / 1000).clamp(WINDOW_LEN_MIN, WINDOW_LEN_MAX);
        // A window that is not full is not what makes the peer slow.
        if window > self.window || self.bytes > window {
            self.window = window;
        }
        self.epoch_at = now;
        self.epoch_len = 0;
        self.rate < SLOW_RATE && now - self.busy_at >= SLOW_MS
    }
}

/// `base` doubled `times` times, at most `max`.
pub(super) fn backoff(base: u64, times: u32, max: u64) -> u64 {
    (base << times.min(8)).min(max)
}
