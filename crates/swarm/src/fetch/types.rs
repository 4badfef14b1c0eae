//! What goes in and out of the fetch engine. Names match `browser/src/core/fetch/types.ts`.

use serde::{Deserialize, Serialize};
use viral_wire::PieceId;
use viral_wire::signal::Fault;

/// A peer, as the shell numbers it; never used for two peers of one engine. Below 2^53, so that JavaScript holds it exactly.
pub type PeerKey = u64;

/// Where bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The origin.
    Origin,
    /// A peer.
    Peer(PeerKey),
}

/// What the shell must do next; the engine itself performs no I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FetchOutput {
    /// Send a `want`.
    Want {
        /// To whom.
        peer: PeerKey,
        /// At most [`WANT_IDS_MAX`](viral_wire::limits::WANT_IDS_MAX).
        ids: Vec<PieceId>,
    },
    /// Send a `cancel`.
    Cancel {
        /// To whom.
        peer: PeerKey,
        /// At most [`WANT_IDS_MAX`](viral_wire::limits::WANT_IDS_MAX).
        ids: Vec<PieceId>,
    },
    /// Send a `query`.
    Query {
        /// To whom.
        peer: PeerKey,
        /// At most [`QUERY_IDS_MAX`](viral_wire::limits::QUERY_IDS_MAX).
        ids: Vec<PieceId>,
    },
    /// Ask the origin for these in one request; `handle_piece` for each that comes, `handle_origin_failed` for the others.
    AskOrigin {
        /// At most [`PIECES_PER_REQUEST_MAX`](viral_wire::limits::PIECES_PER_REQUEST_MAX).
        ids: Vec<PieceId>,
    },
    /// Ask the tracker for a lease of the crowd's work, then [`handle_lease`](super::Fetch::handle_lease).
    #[serde(rename = "ask-share")]
    AskLease {
        /// How many pieces of the leases so far, oldest first, are held now and were not reported yet.
        done: u32,
    },
    /// Close the connection and report the fault; the engine has forgotten the peer already.
    Drop {
        /// Whose connection.
        peer: PeerKey,
        /// Why. Everything but `Silent` and `Slow` is for good.
        fault: Fault,
    },
    /// Every piece is held. Said again when pieces were added since.
    Done,
    /// Pieces are missing and there is no peer: said once each time this begins, and at each failure of the origin meanwhile.
    NeedPeers,
}

/// What to do with a piece that arrived, before it is inflated or hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Accepted {
    /// Inflate to exactly `len` bytes, hash, then `handle_piece`.
    Take {
        /// Raw length in bytes.
        len: u32,
    },
    /// Held already (a hedge or a crossed cancel): drop it silently.
    Late,
    /// Never asked of this source: `handle_fault(now, peer, Fault::Unasked)`.
    Unasked,
}

/// How far the download is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pieces held.
    pub held: usize,
    /// Pieces known.
    pub total: usize,
    /// Bytes held.
    pub bytes_held: u64,
    /// Bytes known.
    pub bytes_total: u64,
    /// Every known piece is held, and there is one.
    pub done: bool,
}
