//! Every number of a client's policy, with its unit and origin.
//!
//! `cargo xtask types` makes `browser/src/core/generated/sessionPolicy.ts` of them, which the browser takes what it needs from.

use viral_wire::limits::QUERY_IDS_MAX;

/// A piece that a peer asked about and that came since is announced at most this often, in milliseconds. Every hop of a chain waits as long, so ten hops cost half a
/// second; with 200 ms they would cost two.
pub const HAVE_MS: u64 = 50;

/// Ids that one peer is told of once they are here, at most: half a gibibyte in pieces of 32 KiB, as much as a page holds for others.
pub const INTERESTED_IDS_MAX: usize = 16 * QUERY_IDS_MAX;

/// Open connections below which more peers are looked for while pieces are missing.
pub const PEERS_WANTED: usize = 4;

/// A dial that did not open for this long counts for nothing when peers are sought, in milliseconds: on a full line it may still open later.
pub const DIAL_HOPED_MS: u64 = 2_500;

/// How long the server may take to say that answers left before their offers' makers are dialled anyway, in milliseconds: several round trips over a slow line.
pub const RELEASE_WAIT_MS: u64 = 1_000;

/// Messages with answers at once of which the server may yet have to say that they left; the offers of further ones are dialled at once. A session asks for peers one time after
/// the other, and waits no longer than [`RELEASE_WAIT_MS`] for each.
pub const WITHHELD_MAX: usize = 8;

/// First pause between two searches for peers, in milliseconds; doubled each time.
pub const FIND_MS: u64 = 1_000;

/// Longest pause between two searches for peers, in milliseconds.
pub const FIND_MS_MAX: u64 = 15_000;

/// Counts and what is held go out at most this often, in milliseconds.
pub const REPORT_MS: u64 = 1_000;

/// The same in a crowd, until all is held: each word is acknowledged by the line that everybody waits for, and one a second of a hundred visitors was measured to be
/// a tenth of 0.8 Mbit/s.
pub const CROWD_REPORT_MS: u64 = 5_000;

/// Wait for the manifest from a peer before the origin is asked for it, in milliseconds.
pub const MANIFEST_WAIT_MS: u64 = 350;

/// Wait for the manifest from others of a crowd, in milliseconds: a connection on a crowded line and a few hops of 20 KiB take five seconds. Everybody's copy from
/// the origin would be a fifth of the app's bytes for a hundred visitors.
pub const CROWD_MANIFEST_WAIT_MS: u64 = 8_000;

/// How often the origin is asked again for a manifest it did not give, in milliseconds.
pub const ORIGIN_PROBE_MS: u64 = 1_000;

/// Bytes of pieces kept while the manifest is not known yet: a push plan and half of it again.
pub const EARLY_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Manifests one seeder remembers: the page's and those of earlier deploys.
pub const MANIFESTS_MAX: usize = 4;

/// A connection without a frame for this long is closed, in milliseconds.
pub const IDLE_MS: u64 = 60_000;

/// A connection that was answered but did not open within this is given up, in milliseconds.
pub const DIAL_GIVEN_UP_MS: u64 = 20_000;

/// Connections one peer keeps, answered offers and dials together. The fetch engine takes no more than 64. A page keeps fewer: `LINKS_MAX` of `browser/src/shell/limits.ts` says why.
pub const LINKS_MAX: usize = crate::fetch::config::PEERS_MAX;

/// Control frames of one connection in one second; a peer that sends more floods. A window of small pieces is 256 ids in one frame, so a busy honest
/// peer sends tens of frames, and news twenty times a second.
pub const CONTROL_FRAMES_PER_S_MAX: u32 = 2_000;
