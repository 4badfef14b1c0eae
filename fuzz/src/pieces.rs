//! Pieces that are told apart by a number.

use viral_wire::{Digest, Piece, PieceId};

/// Piece `id`: its digest is the number and zeros, as in `vectors/fetch`.
pub(crate) fn piece(id: u32, len: u32) -> Piece {
    let mut digest = [0; 32];
    digest[12..16].copy_from_slice(&id.to_be_bytes());
    Piece { len, digest: Digest(digest) }
}

/// Which piece that is.
pub(crate) fn number(id: PieceId) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&id.as_bytes()[12..]);
    u32::from_be_bytes(bytes)
}
