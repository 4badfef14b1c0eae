//! What a download came to, as `--json` prints it.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::peer::Peer;

/// How the origin answered the visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Peers near had it.
    Thin,
    /// Nobody near had it.
    Full,
    /// The page is served by the origin alone.
    Plain,
    /// One asset, not a page.
    Asset,
}

/// The figures of one download. Bytes are raw bytes of verified pieces.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Everything is here and right.
    pub ok: bool,
    /// How the origin answered.
    pub answer: Answer,
    /// From peers.
    pub bytes_from_peers: u64,
    /// From the origin, the document of a full answer included.
    pub bytes_from_origin: u64,
    /// Found in the output directory or a partial download.
    pub bytes_from_store: u64,
    /// Peers that gave at least one piece.
    pub peers_used: usize,
    /// Distinct pieces of the app.
    pub pieces: usize,
    /// Peers that sent bytes that were not what they said.
    pub bans: u32,
    /// From the start to the last byte verified and in place.
    pub ms_total: u64,
    /// From the start to the first piece verified; none if all were here already.
    pub ms_first_piece: Option<u64>,
    /// To others, until the end.
    pub bytes_to_peers: u64,
}

impl Report {
    pub(super) fn of(peer: &Peer, answer: Answer, begun: Instant) -> Self {
        let (progress, totals) = (peer.progress(), peer.totals());
        Self {
            ok: true,
            answer,
            bytes_from_peers: totals.bytes_from_peers,
            bytes_from_origin: totals.bytes_from_origin,
            bytes_from_store: progress.bytes_held.saturating_sub(totals.bytes_from_peers + totals.bytes_from_origin),
            peers_used: totals.sources.len(),
            pieces: progress.total,
            bans: totals.bans,
            ms_total: ms(begun.elapsed()),
            ms_first_piece: peer.first_piece_at().map(|at| ms(at.saturating_duration_since(begun))),
            bytes_to_peers: totals.bytes_to_peers,
        }
    }
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
