//! Why a manifest is refused.

use crate::{
    limits::{MANIFEST_ASSETS_MAX, MANIFEST_BYTES_MAX, MANIFEST_LEN_MAX, PIECE_LEN_MAX},
    reader::{Truncated, VarintError},
};

/// Why bytes are not a manifest, or why records cannot become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The blob is over [`MANIFEST_LEN_MAX`].
    #[error("manifest is {len} bytes, limit {max}", max = MANIFEST_LEN_MAX)]
    TooLong {
        /// Bytes of the blob.
        len: usize,
    },
    /// The blob does not begin with `VRL1`.
    #[error("not a manifest: magic bytes are missing")]
    Magic,
    /// The blob ends before its content does.
    #[error("manifest is cut short")]
    Truncated,
    /// A varint is over eight bytes or not in its shortest form.
    #[error("malformed varint")]
    Varint,
    /// No asset, or more than [`MANIFEST_ASSETS_MAX`].
    #[error("{count} assets, allowed 1 to {max}", max = MANIFEST_ASSETS_MAX)]
    AssetCount {
        /// Assets announced.
        count: u64,
    },
    /// The path of this asset is too long or not a plain URL path.
    #[error("asset {asset} has a path that is too long or not a plain url path")]
    Path {
        /// Index of the asset.
        asset: usize,
    },
    /// Two assets share a path.
    #[error("asset {asset} repeats the path of another")]
    DuplicatePath {
        /// Index of the second one.
        asset: usize,
    },
    /// The media type is too long or not a header value.
    #[error("asset {asset} has a malformed media type")]
    MediaType {
        /// Index of the asset.
        asset: usize,
    },
    /// Too many headers, or one that is not a header.
    #[error("asset {asset} has malformed headers")]
    Header {
        /// Index of the asset.
        asset: usize,
    },
    /// A piece of length 0 or over [`PIECE_LEN_MAX`].
    #[error("asset {asset} has a piece of {len} bytes, allowed 1 to {max}", max = PIECE_LEN_MAX)]
    PieceLen {
        /// Index of the asset.
        asset: usize,
        /// Announced length.
        len: u64,
    },
    /// The pieces do not add up to the asset.
    #[error("the pieces of asset {asset} do not add up to its length")]
    Sum {
        /// Index of the asset.
        asset: usize,
    },
    /// All assets together are over [`MANIFEST_BYTES_MAX`].
    #[error("assets exceed {max} bytes", max = MANIFEST_BYTES_MAX)]
    TotalLen,
    /// Bytes follow the last asset.
    #[error("{len} bytes after the last asset")]
    Trailing {
        /// How many.
        len: usize,
    },
}

impl ManifestError {
    /// The name of the error in the vectors and in the browser.
    pub fn token(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::Magic => "magic",
            Self::Truncated => "truncated",
            Self::Varint => "varint",
            Self::AssetCount { .. } => "asset-count",
            Self::Path { .. } => "path",
            Self::DuplicatePath { .. } => "duplicate-path",
            Self::MediaType { .. } => "media-type",
            Self::Header { .. } => "header",
            Self::PieceLen { .. } => "piece-len",
            Self::Sum { .. } => "sum",
            Self::TotalLen => "total-len",
            Self::Trailing { .. } => "trailing",
        }
    }
}

impl From<Truncated> for ManifestError {
    fn from(Truncated: Truncated) -> Self {
        Self::Truncated
    }
}

impl From<VarintError> for ManifestError {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Truncated => Self::Truncated,
            VarintError::Form => Self::Varint,
        }
    }
}
