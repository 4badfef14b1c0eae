//! Every number of the fetch engine's policy, with its unit and origin. `cargo xtask types` gives them to the browser.

use viral_wire::limits;

/// Bytes in flight with a peer of unknown speed: 8 pieces of 32 KiB, 52 ms at 40 Mbit/s.
pub const WINDOW_LEN_START: u64 = 262_144;

/// A slow peer still gets this many bytes at once, so that a round trip of 500 ms leaves 1 Mbit/s.
pub const WINDOW_LEN_MIN: u64 = 65_536;

/// No peer gets more: 20 MB/s at 100 ms.
pub const WINDOW_LEN_MAX: u64 = 2_097_152;

/// The window is what a peer delivers in this time: longer than the round trip, or it could never grow.
pub const WINDOW_MS: u64 = 400;

/// A peer's rate is measured over at least this long.
pub const EPOCH_MS: u64 = 100;

/// Pieces in flight with one peer: one `want` frame.
pub const FLIGHT_IDS_MAX: usize = limits::WANT_IDS_MAX;

/// A peer without progress for this long, or for twice its usual gap, is overdue: under SCTP's first retransmission of 400 ms plus slack.
pub const OVERDUE_MS: u64 = 400;

/// A peer with pieces in flight and without progress for this long, or for thrice its usual gap, is dropped. What SCTP sent last it
/// sends again after a second if it is lost (RFC 9260 section 16, RTO.Min): who is dropped before that is dropped for one lost packet.
pub const TIMEOUT_MS: u64 = 1_500;

/// The latest that it is dropped: three seconds are longer than a person waits for nothing.
pub const TIMEOUT_MS_MAX: u64 = 3_000;

/// So long after a dial the peer is overdue: what it announced is hedged, within the budget. Twice the slowest open measured on a path of 52 ms.
pub const DIAL_MS: u64 = 350;

/// So much later the origin stands in for all that no open peer has. A busy machine was measured to open in up to a second.
pub const OPEN_MS: u64 = 850;

/// So long a peer may take to say what it holds before the origin stands in for it.
pub const GRACE_MS: u64 = 350;

/// Requests to the origin at the same time: under a browser's six HTTP/1.1 connections for one host.
pub const ORIGIN_REQUESTS_MAX: usize = 4;

/// Pieces in one of them.
pub const ORIGIN_IDS_MAX: usize = limits::PIECES_PER_REQUEST_MAX;

/// Ids in one `query`.
pub const QUERY_IDS_MAX: usize = limits::QUERY_IDS_MAX;

/// Share of all bytes that may be asked of the origin while a live peer is overdue with them, in percent.
pub const HEDGE_PERCENT: u64 = 25;

/// Bytes that may be hedged on top of the share, so that a small app can be hedged at all.
pub const HEDGE_LEN_EXTRA: u64 = 262_144;

/// In the end game pieces are asked again only of a source that needs longer than this for what it owes.
pub const END_GAME_MS: u64 = 100;

/// When all peers together need longer than this for what is wanted, and had this long to show it, the origin helps: a page that takes longer than
/// 2.5 s to show what matters counts as slow (web.dev, LCP), and the rest of that is the dial and the origin's own time.
pub const HELP_AFTER_MS: u64 = 1_500;

/// Peers that together deliver this many bytes per second need no help: 6 Mbit/s carry a film, and an app of 10 MB in 14 s.
pub const HELP_RATE: u64 = 750_000;

/// Pieces asked of the origin at a time to help, until it gave more than all peers: 128 KiB, half a second of 2 Mbit/s, which many may share.
pub const HELP_IDS: usize = 4;

/// A peer below this rate, in bytes per second, is dropped while the origin answers: a quarter of a megabit.
pub const SLOW_RATE: u64 = 32_768;

/// But not before it was measured for this long.
pub const SLOW_MS: u64 = 2_000;

/// [`OVERDUE_MS`] in a crowd: eight leechers share 2 Mbit/s, so a piece of 32 KiB comes once a second.
pub const CROWD_OVERDUE_MS: u64 = 3_000;

/// [`TIMEOUT_MS`] in a crowd.
pub const CROWD_TIMEOUT_MS: u64 = 10_000;

/// A crowd from which nothing at all came for this long gives nothing now: the origin stands in, more and more until somebody gives again.
pub const LEASE_STALL_MS: u64 = 8_000;

/// The same once the tracker has nothing to grant: no lease will bring what is missing, and whoever holds it may have no uplink. Longer than [`LEASE_RETRY_MS`], so that
/// what somebody left behind is granted first.
pub const LEASE_STALL_LAST_MS: u64 = 4_000;

/// One of a crowd that was told that everything is under way asks again after this: somebody may have left.
pub const LEASE_RETRY_MS: u64 = 3_000;

/// One of a crowd says this seldom what it has of its lease and asks for more: 12 times a second, where the tracker takes 16 messages of all kinds.
pub const LEASE_ASK_MS: u64 = 80;

/// One of a crowd leaves pieces that come over the line to neighbours who take them. Once a peer stands idle for that and neighbours gave nothing for this long, it leaves
/// nothing any more.
pub const LEFT_MS: u64 = 3_000;

/// Neighbours that give fewer bytes a second than this while a peer stands idle for them count as giving nothing for the rest of the time: a piece of 32 KiB a second.
pub const LEFT_RATE_MIN: u64 = 32_768;

/// Who has fewer neighbours leaves nothing to them: where two share a line, one waits for the other longer than a second copy takes.
pub const NEIGHBOURS_MIN: usize = 2;

/// After a refusal a peer is left alone for this long, doubled each time.
pub const PAUSE_MS: u64 = 250;

/// Longest pause after a refusal.
pub const PAUSE_MS_MAX: u64 = 4_000;

/// After a failure the origin is left alone for this long, doubled each time, less a random part of up to half.
pub const RETRY_MS: u64 = 250;

/// Longest pause after a failure of the origin.
pub const RETRY_MS_MAX: u64 = 8_000;

/// Peers at the same time; dials beyond are ignored. A browser page holds at most 500 connections for everything.
pub const PEERS_MAX: usize = 64;

/// Peers remembered as banned.
pub const BANNED_MAX: usize = 1_024;

/// Pieces ever added; more are ignored. 4 GiB in pieces of 16 KiB.
pub const PIECES_MAX: usize = 262_144;

/// What may differ between two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchConfig {
    /// Seed of the jitter.
    pub seed: u32,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self { seed: 1 }
    }
}
