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

/// What the paths of our own URLs begin with, after the base of a site that lies below one: no file of a site has it in its path, for it serves no hidden folder.
pub const OWN_PATHS: &str = "/.viral/";

/// Path of the viral addition, the script that every full document asks for: the only one of our own URLs that is an asset.
pub const ADDITION_PATH: &str = "/.viral/addition.js";

/// Stands for all pages that a site makes anew for each visitor: what they load travels, they themselves never do. Nothing is at this address.
pub const PERSONAL_PATH: &str = "/.viral/personal";

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

impl AssetRecord {
    /// Whether this is ours, not the site's: it travels with the app and is no part of it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.path.contains(OWN_PATHS)
    }
}
