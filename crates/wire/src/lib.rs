//! Bytes to types and back: digests, records, manifests, frames, descriptions, signals and their limits.
//!
//! `docs/PROTOCOL.md` is the specification; `vectors/` pins it for this crate and for `browser/src/core` alike.
//! No clock, no I/O, no policy: what to do with a well-formed message is decided elsewhere.

pub mod description;
pub mod digest;
pub mod frame;
pub mod limits;
pub mod manifest;
pub mod piece_codec;
pub mod printable;
pub mod push;
pub mod record;
pub mod signal;
pub mod stun;
pub mod webtorrent;

mod reader;
mod text;

pub use description::{Candidate, Description, DescriptionError};
pub use digest::{Digest, PieceId, Ticket};
pub use frame::{Channel, Frame, FrameError};
pub use manifest::{Manifest, ManifestError};
pub use record::{ADDITION_PATH, AssetRecord, OWN_PATHS, PERSONAL_PATH, Piece};
