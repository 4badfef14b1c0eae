//! Which pieces are here, as the host says.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use viral_wire::{Piece, PieceId};

/// A set of pieces; their order is never looked at.
#[derive(Debug, Default)]
pub struct HeldPieces {
    lens: HashMap<PieceId, u32>,
    bytes: u64,
}

impl HeldPieces {
    /// A piece is here; `len` are its raw bytes, as whoever first named it says.
    pub fn insert(&mut self, id: PieceId, len: u32) {
        if let Entry::Vacant(place) = self.lens.entry(id) {
            place.insert(len);
            self.bytes += u64::from(len);
        }
    }

    /// A piece is not here any more.
    pub fn remove(&mut self, id: &PieceId) {
        self.bytes -= self.lens.remove(id).map_or(0, u64::from);
    }

    /// Forgets all pieces but these.
    pub fn retain(&mut self, keep: impl Fn(&PieceId) -> bool) {
        self.lens.retain(|id, _| keep(id));
        self.bytes = self.lens.values().map(|len| u64::from(*len)).sum();
    }

    /// Whether a piece is here.
    #[must_use]
    pub fn has(&self, id: &PieceId) -> bool {
        self.lens.contains_key(id)
    }

    /// Raw bytes of all pieces, each counted once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of these are here, and their raw bytes.
    #[must_use]
    pub fn count(&self, pieces: &[Piece]) -> (u32, u64) {
        let held = pieces.iter().filter(|piece| self.has(&piece.id()));
        held.fold((0, 0), |(count, bytes), piece| (count + 1, bytes + u64::from(piece.len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay;

    #[test]
    fn each_piece_counts_once_and_is_gone_once_it_is_gone() {
        let mut held = HeldPieces::default();
        for (number, len) in [(1, 10), (2, 20), (1, 15)] {
            held.insert(replay::id(number), len);
        }
        assert_eq!((held.bytes(), held.has(&replay::id(1))), (30, true));
        assert_eq!(held.count(&[replay::piece(2, 20), replay::piece(3, 5)]), (1, 20));
        held.remove(&replay::id(1));
        held.remove(&replay::id(1));
        assert_eq!((held.bytes(), held.has(&replay::id(1))), (20, false));
        held.insert(replay::id(3), 5);
        held.retain(|id| *id == replay::id(3));
        assert_eq!((held.bytes(), held.has(&replay::id(2))), (5, false));
    }
}
