//! What is known about one asset: its path, headers, length, digest and pieces.

use crate::digest::{Digest, PieceId};

/// A slice of a decoded asset; the unit of verification and transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece {
    /// Raw length in bytes, 1..=[`PIECE_LEN_MAX`](crate::limits::PIECE_LEN_MAX).
    pub len: u32,
    /// SHA-256 of the raw bytes.
    pub digest: Digest,
}

impl Piece {
    /// The id that addresses this piece on the wire.
    pub fn id(&self) -> PieceId {
        self.digest.piece_id()
    }
}

/// One servable file of the app, as it stands in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRecord {
    /// Percent-encoded URL path, beginning with `/`.
    pub path: String,
    /// The whole `Content-Type` value.
    pub media_type: String,
    /// Other response headers that matter, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Length of the decoded asset in bytes.
    pub len: u64,
    /// SHA-256 of the decoded asset.
    pub digest: Digest,
    /// The asset cut into pieces, in order; empty for an empty asset.
    pub pieces: Vec<Piece>,
}
