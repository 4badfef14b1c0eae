//! Every number of the upload engine's policy, with its unit and origin. `cargo xtask types` gives them to the browser.

use viral_wire::limits::WANT_IDS_MAX;

/// Peers served at the same time: few, so that the first copy is finished soon.
pub const SLOTS: usize = 8;
/// No more is handed to a channel that has this many bytes buffered.
pub const BUFFER_LEN_HIGH: u64 = 256 * 1024;
/// A full channel gets more once it has no more than this buffered.
pub const BUFFER_LEN_LOW: u64 = 64 * 1024;
/// Pieces handed out for one peer that were not reported sent yet: the shell reads them from its store meanwhile. A page whose app keeps its thread
/// busy gives no more than this in each pause of the app's; what the peer asks for at once bounds it, too.
pub const PENDING_MAX: usize = 16;

/// The same under a cap of rate or volume: what is handed out is charged only once it is sent, so that a cap is exceeded by no more than this.
pub const PENDING_CAPPED_MAX: usize = 4;
/// Pieces queued for one peer: four `want` frames.
pub const QUEUE_IDS_MAX: usize = 4 * WANT_IDS_MAX;
/// Refusals for a full queue before the peer counts as flooding.
pub const OVERFLOWS_MAX: u32 = 64;
/// Bytes that one connection may take, as a multiple of all that is held here: everything once, and once more what was lost on the way to its store. The same piece again
/// and again would keep the line from all others for ever. Only where the shell says what is held.
pub const TAKES_MAX: u64 = 2;
/// A peer that takes nothing for this long while its channel is full is gone: SCTP itself gives up after about 30 s.
pub const STALL_MS: u64 = 30_000;
/// The bucket of the rate cap holds what flows in this time.
pub const BURST_MS: u64 = 500;
/// Largest rate cap, in bytes per second: beyond it sums leave what a JavaScript number holds exactly.
pub const RATE_MAX: u64 = 1 << 36;
/// Peers at the same time; more are not served. A page holds at most 500 connections.
pub const PEERS_MAX: usize = 512;
/// For this long a volume cap counts, in milliseconds, from when the engine began. A visit is seldom longer, and nothing of it is kept.
pub const DAY_MS: u64 = 86_400_000;
/// Time counted at most between two refills, so that a sleeping page cannot overflow a number.
pub const REFILL_MS_MAX: u64 = 60_000;

/// What may differ between two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadConfig {
    /// Peers served at the same time.
    pub slots: usize,
    /// Cap in bytes per second over all peers, on the wire; 0 = none. At most [`RATE_MAX`].
    pub bytes_per_s: u64,
    /// Cap in bytes for each [`DAY_MS`] of the engine's time, on the wire; 0 = none.
    pub bytes_max: u64,
    /// Bytes of the first such day that were given before the engine began.
    pub bytes_given: u64,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self { slots: SLOTS, bytes_per_s: 0, bytes_max: 0, bytes_given: 0 }
    }
}
