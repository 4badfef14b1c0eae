//! What sources owe that somebody waits for, and who owes too much of it.

use super::config::END_GAME_MS;
use super::piece_table::PieceTable;

/// Whether somebody waits for anything that the source owes.
pub(super) fn is_awaited(table: &PieceTable, at: usize) -> bool {
    table.sources[at].flight.values().any(|&i| table.is_wanted(i))
}

/// What somebody waits for of all that the source owes, in the order in which it was asked.
pub(super) fn owed(table: &PieceTable, at: usize) -> Vec<usize> {
    table.sources[at].flight.values().copied().filter(|&i| table.is_wanted(i)).collect()
}

/// The later half of what the most indebted slow source but this one owes, as far as nobody else does, last piece first.
pub(super) fn debts(table: &PieceTable, at: usize) -> Vec<usize> {
    let mut debtor = None;
    let mut debt = 0;
    for (other, state) in table.sources.iter().enumerate() {
        let slow = state.overdue || (state.rate > 0 && state.bytes * 1000 / state.rate > END_GAME_MS);
        if slow && other != at && state.open && state.bytes > debt && is_awaited(table, other) {
            debtor = Some(other);
            debt = state.bytes;
        }
    }
    let owed = debtor.map_or_else(Vec::new, |debtor| owed(table, debtor));
    owed[owed.len() / 2..].iter().rev().copied().filter(|&i| table.pieces[i].from.len() < 2).collect()
}
