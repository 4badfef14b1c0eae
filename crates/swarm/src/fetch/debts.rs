//! What sources owe that somebody waits for, and who owes too much of it.

use super::board::Board;
use super::config::END_GAME_MS;

/// Whether somebody waits for anything that the source owes.
pub(super) fn is_awaited(board: &Board, at: usize) -> bool {
    board.links[at].flight.values().any(|&i| board.is_wanted(i))
}

/// What somebody waits for of all that the source owes, in the order in which it was asked.
pub(super) fn owed(board: &Board, at: usize) -> Vec<usize> {
    board.links[at].flight.values().copied().filter(|&i| board.is_wanted(i)).collect()
}

/// The later half of what the most indebted slow source but this one owes, as far as nobody else does, last piece first.
pub(super) fn debts(board: &Board, at: usize) -> Vec<usize> {
    let mut debtor = None;
    let mut debt = 0;
    for (other, link) in board.links.iter().enumerate() {
        let slow = link.late || (link.rate > 0 && link.bytes * 1000 / link.rate > END_GAME_MS);
        if slow && other != at && link.open && link.bytes > debt && is_awaited(board, other) {
            debtor = Some(other);
            debt = link.bytes;
        }
    }
    let owed = debtor.map_or_else(Vec::new, |debtor| owed(board, debtor));
    owed[owed.len() / 2..].iter().rev().copied().filter(|&i| board.slots[i].from.len() < 2).collect()
}
