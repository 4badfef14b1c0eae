//! Limits of the tracker for WebTorrent clients.

/// Peers that one [`Swarms`](crate::webtorrent::Swarms) holds, all torrents together. One is about 400 B where it idles, so 26 MiB; a server has several of them.
pub const WEBTORRENT_PEERS_MAX: usize = 65_536;

/// Torrents, and peers in each, that one socket announces. `bittorrent-tracker` has one socket for each tracker, whatever the client shares.
pub const WEBTORRENT_SEATS_MAX: usize = 128;

/// Peers of one torrent that one socket announces: clients of one page or program share a socket. More would only take offers from others.
pub const WEBTORRENT_SEATS_SAME_MAX: usize = 8;

/// How often clients are asked to announce themselves, in seconds: as `aquatic_ws` and `bittorrent-tracker` ask it of clients with a WebSocket.
pub const WEBTORRENT_INTERVAL_S: u32 = 120;

/// How long a peer is remembered after it said something, in milliseconds: two intervals and a half, since browsers stretch the timers of pages that nobody looks at. Its socket may go
/// on for others.
pub const WEBTORRENT_PEER_AGE_MAX_MS: u64 = 300_000;

/// Offers that one peer is to answer at a time. Each is a connection that its browser sets up, at about 20 ms (PLATFORM section 3) and for 150 KiB (PLATFORM section 2).
pub const WEBTORRENT_UNANSWERED_MAX: usize = 16;

/// How long it may take for that, in milliseconds. `bittorrent-tracker` forgets its offers after 50 s.
pub const WEBTORRENT_OFFER_AGE_MAX_MS: u64 = 50_000;

/// Offers in a row that a peer left unanswered, after which it is given one at a time.
pub const WEBTORRENT_MISSED_MAX: u8 = 8;

/// Peers looked at on one tier for one announce.
pub const WEBTORRENT_SCAN_MAX: usize = 64;

/// Longest file of info-hashes, in bytes: 200,000 of them.
pub const WEBTORRENT_FILE_LEN_MAX: usize = 8 * 1024 * 1024;
