//! What one of a crowd takes from the origin: the share that the tracker gives it, and after a while of nothing more, until a peer gives something.

use std::collections::VecDeque;

use super::board::{Board, ORIGIN, Ring, Slot};
use super::config::{ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, SHARE_ASK_MS, SHARE_RETRY_MS, SHARE_STALL_LAST_MS, SHARE_STALL_MS};
use super::fill::request;
use super::link::NEVER;
use super::types::{Output, Source};

/// The share of one engine.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Pieces given and not yet reported as held, oldest first.
    given: VecDeque<usize>,
    /// How many of those before them are held and not reported yet.
    done: u32,
    /// A `share` waits for its reply.
    asked: bool,
    /// The tracker had nothing to deal at the last reply.
    is_dealt: bool,
    /// It had not: the next question waits until then.
    retry_at: u64,
    /// The tracker was asked a moment ago: nothing is said until then.
    silent_until: u64,
    /// When a piece was verified last, from whomever.
    advanced_at: u64,
    /// Pieces that the origin is asked for next beside the share, because nobody gave anything; 0 = somebody does.
    pub(super) rescue: usize,
    salt: u64,
}

impl Sharing {
    pub(super) fn new(now: u64, salt: u64) -> Self {
        Self {
            given: VecDeque::new(),
            done: 0,
            asked: false,
            is_dealt: false,
            retry_at: NEVER,
            silent_until: NEVER,
            advanced_at: now,
            rescue: 0,
            salt,
        }
    }

    pub(super) fn give(&mut self, now: u64, pieces: &[usize]) {
        self.asked = false;
        self.is_dealt = pieces.is_empty();
        self.retry_at = if self.is_dealt { now + SHARE_RETRY_MS } else { NEVER };
        for &i in pieces {
            // A share that took too long may be dealt to the same taker again.
            if !self.given.contains(&i) {
                self.given.push_back(i);
            }
        }
    }

    /// Something is missing from now on: whoever gave nothing before had nothing to give.
    pub(super) fn begin(&mut self, now: u64) {
        self.advance(now, true);
    }

    /// A piece was verified.
    pub(super) fn advance(&mut self, now: u64, is_from_peer: bool) {
        self.advanced_at = now;
        if is_from_peer {
            self.rescue = 0;
        }
    }

    /// The origin did not give what it was asked for: asking for more would not help it.
    pub(super) fn relent(&mut self) {
        self.rescue = self.rescue.min(1);
    }

    pub(super) fn expire(&mut self, now: u64) {
        if self.stalls_at() <= now {
            self.advanced_at = now;
            // From now on the origin stands in, with little at first: where its line is what everybody waits for, all would ask for everything at once.
            self.rescue = self.rescue.max(1);
        }
        if self.retry_at <= now {
            self.retry_at = NEVER;
        }
        if self.silent_until <= now {
            self.silent_until = NEVER;
        }
    }

    pub(super) fn due(&self) -> u64 {
        self.retry_at.min(self.silent_until).min(self.stalls_at())
    }

    /// When the crowd counts as giving nothing.
    fn stalls_at(&self) -> u64 {
        self.advanced_at + if self.is_dealt { SHARE_STALL_LAST_MS } else { SHARE_STALL_MS }
    }

    /// The place of a piece in an order that is another one for each of the crowd.
    pub(super) fn place_of(&self, i: usize) -> u64 {
        (i as u64 * 48_271 + self.salt * 7) % 2_147_483_647 * 16_807 % 2_147_483_647
    }
}

/// Requests what of the share is neither held nor under way; after a while of nothing, more and more of the rest until a peer gives something.
pub(super) fn ask_origin(board: &mut Board) {
    while board.links[ORIGIN].pause == NEVER && board.requests.len() < ORIGIN_REQUESTS_MAX {
        let Some(sharing) = &board.sharing else { return };
        let mut batch: Vec<usize> = sharing.given.iter().copied().filter(|&i| board.is_free(i)).take(ORIGIN_IDS_MAX).collect();
        let is_rescue = batch.is_empty() && sharing.rescue > 0 && board.requests.is_empty();
        if is_rescue {
            batch = to_rescue(board, sharing);
        }
        if batch.is_empty() {
            return;
        }
        for &i in &batch {
            board.assign(ORIGIN, i);
        }
        request(board, &batch);
        if let Some(sharing) = board.sharing.as_mut().filter(|_| is_rescue) {
            sharing.rescue = (sharing.rescue * 2).min(ORIGIN_IDS_MAX);
        }
    }
}

/// Pieces that nobody gives, each of the crowd others: those that nobody owes before those that somebody is late with.
fn to_rescue(board: &Board, sharing: &Sharing) -> Vec<usize> {
    let is_late = |&(source, _): &(Source, u64)| board.find(source).is_some_and(|at| board.links[at].late);
    let is_missing = |slot: &Slot| slot.ring < Ring::Expected && !slot.held && slot.from.len() < 2 && slot.from.iter().all(is_late);
    let mut missing: Vec<usize> = (0..board.slots.len()).filter(|&i| is_missing(&board.slots[i])).collect();
    missing.sort_by_key(|&i| (board.slots[i].from.len(), sharing.place_of(i)));
    missing.truncate(sharing.rescue);
    missing
}

/// Reports what of the share is held, and asks for more once all of it is under way.
pub(super) fn ask_share(board: &mut Board) {
    let is_done = board.has_all();
    let Some(sharing) = &mut board.sharing else { return };
    while sharing.given.front().is_some_and(|&i| board.slots[i].held) {
        sharing.given.pop_front();
        sharing.done += 1;
    }
    // The last word must not come too late, or what is held here counts as lost.
    if sharing.silent_until != NEVER && !is_done {
        return;
    }
    let wants_more = !is_done && !board.slots.is_empty() && !sharing.asked && sharing.retry_at == NEVER;
    let is_under_way = sharing.given.iter().all(|&i| board.slots[i].held || !board.slots[i].from.is_empty());
    // Half of a share at a time: a message for each piece would be too many on a fast line.
    let is_worth_saying = sharing.done > 0 && sharing.done as usize >= sharing.given.len();
    if is_worth_saying || (wants_more && is_under_way) {
        sharing.asked = true;
        sharing.silent_until = board.now + SHARE_ASK_MS;
        board.out.push_back(Output::AskShare { done: std::mem::take(&mut sharing.done) });
    }
}
