//! What becomes due by waiting: sources that were asked for too long, and pauses that end. Same as `browser/src/core/fetch/timeouts.ts`.

use viral_wire::signal::Fault;

use super::config::OPEN_MS;
use super::piece_table::{ORIGIN, PieceTable};
use super::state::NEVER;
use super::types::Source;

/// When something becomes due for a source, in milliseconds; [`NEVER`] = nothing does.
pub(super) fn due(table: &PieceTable) -> u64 {
    let mut first = NEVER;
    for state in &table.sources {
        first = first.min(state.pause).min(state.grace);
        if !state.is_awaited() {
            continue;
        }
        if !state.overdue {
            first = first.min(state.overdue_at());
        } else if !state.is_origin() {
            first = first.min(state.timeout_at());
        }
    }
    first
}

/// Carries out what is due now.
pub(super) fn expire(table: &mut PieceTable) {
    let sources: Vec<Source> = table.sources.iter().map(|state| state.source).collect();
    for source in sources {
        if let Some(at) = table.find(source) {
            expire_source(table, at);
        }
    }
}

fn expire_source(table: &mut PieceTable, at: usize) {
    let now = table.now;
    let state = &mut table.sources[at];
    if state.pause <= now {
        state.pause = NEVER;
    }
    if state.grace <= now && !state.open && !state.overdue {
        state.overdue = true;
        state.grace = now + OPEN_MS;
        // What others can give need not be hedged.
        if table.sources.iter().any(|state| state.complete) {
            table.release(at);
        }
    } else if state.grace <= now {
        state.grace = NEVER;
        let (is_open, is_mute) = (state.open, state.is_mute());
        if is_mute {
            state.announced = state.flight.values().copied().collect();
            // What it says may wait to be read, where nothing ran for a while.
            state.since = now;
        }
        table.sources[ORIGIN].start_over();
        if is_mute || !is_open {
            table.release(at);
        }
    }
    let state = &mut table.sources[at];
    if !state.is_awaited() {
        return;
    }
    if at != ORIGIN && state.timeout_at() <= now {
        table.drop_peer(at, Fault::Silent);
    } else if state.overdue_at() <= now {
        state.overdue = true;
    }
}
