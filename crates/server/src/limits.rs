//! Every limit of the server shell, with unit and source.

use std::time::Duration;

/// How long the end waits for an answer of which no byte moves. Linux wakes a writer when a third of a buffer of up to 4 MB (`tcp_wmem`) is
/// free, so a reader of 44 kB/s still shows in time.
pub(crate) const SHUTDOWN_STALL: Duration = Duration::from_secs(30);

/// How long the end waits for the rest of a request: one slow round trip.
pub(crate) const SHUTDOWN_UNASKED: Duration = Duration::from_secs(1);

/// How often the end looks after each connection.
pub(crate) const SHUTDOWN_TICK: Duration = Duration::from_millis(100);

/// How long a client may read nothing of what is being sent to it: `send_timeout` of nginx.
pub(crate) const READ_STALL: Duration = Duration::from_secs(60);

/// Longest wait for the whole body of a post. They are 64 KiB at most, which a line of 64 kbit/s carries in 8 s.
pub(crate) const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what a client still sends is read and thrown away after the last answer, so that this answer arrives: a slow round trip.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Bytes thrown away then: what a line of 256 Mbit/s carries within [`LINGER`].
pub(crate) const LINGER_LEN_MAX: usize = 32 * 1024 * 1024;

/// Pages whose sets are remembered. One is about 50 KiB with its reports.
pub(crate) const PAGES_MAX: usize = 2_048;

/// The file in which page sets survive a restart, in bytes: some hundred pages with all their reports, those used last first.
pub(crate) const STATE_LEN_MAX: usize = 16 * 1024 * 1024;

/// How long after a change it is written: a crash loses no more than this.
pub(crate) const STATE_PAUSE: Duration = Duration::from_secs(10);

/// Manifests kept to be fetched, all pages together, in bytes. 64 MiB are about 1,000 manifests of a 20 MiB app.
pub(crate) const MANIFESTS_LEN_MAX: usize = 64 * 1024 * 1024;

/// Deflated pieces kept, in bytes.
pub(crate) const DEFLATED_LEN_MAX: usize = 32 * 1024 * 1024;

/// Offers inlined in a thin answer. Four dials open in about 60 ms; more do not fit the 14,600 bytes (DESIGN section 1).
pub(crate) const THIN_OFFERS_MAX: usize = 4;

/// Visits that wait for somebody else's copy at one time; more are answered at once. Each looks at the tracker whenever a peer has room: at most 512 searches of about
/// 50 us in [`WAITING_LOOK`].
pub(crate) const WAITING_MAX: usize = 512;

/// Pause before a visit that waits looks at the tracker again: less than anybody notices.
pub(crate) const WAITING_LOOK: Duration = Duration::from_millis(50);

/// Manifests that a visitor's worker may say it stores. It stores those of the pages visited last.
pub(crate) const STORED_NAMES_MAX: usize = 8;

/// Title repeated in a thin answer, in characters; tabs show about 30.
pub(crate) const TITLE_LEN_MAX: usize = 120;

/// Messages waiting for one slow reader of a WebSocket before it is dropped. The tracker's own bursts are under ten.
pub(crate) const SOCKET_QUEUE_MAX: usize = 64;

/// How often the server pings a WebSocket: under the 60 s after which common proxies cut idle connections.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Silence after which a WebSocket is given up: three pings.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Longest a write to a WebSocket may take.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Readers of a lineage stream at one time: each is a connection held open.
pub(crate) const LINEAGE_READERS_MAX: usize = 1_000;

/// Longest wait for a request's head (RFC 9110 names none; nginx waits 60 s, hyper 30 s).
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections open at one time, WebSockets included (the tracker holds 20,000). At about 20 KiB each they are 640 MiB.
pub(crate) const CONNECTIONS_MAX: usize = 32_768;

/// Connections that wait for a place while their network has most of them, and those that must end and have not: each has a descriptor, of the quarter that
/// is left. An eighth of the places where that is less.
pub(crate) const WAITING_CONNECTIONS_MAX: usize = 64;

/// Connections open at one time on the operator's address: people and tools, not visitors.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Pause after `accept` failed, for lack of file descriptors for example.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two lines of the log about that.
pub(crate) const ACCEPT_COMPLAINT: Duration = Duration::from_secs(60);

/// Assets shorter than this are not worth introductions, in bytes: the origin sends them in one round trip (RFC 6928).
pub(crate) const RECORD_LEN_MIN: u64 = 16 * 1024;

/// Records in one stretch of the listing, in bytes of its manifest: a quarter of what a manifest may have, so that a slow line shows progress.
pub(crate) const LISTING_LEN_MAX: usize = 1024 * 1024;

/// Records in one stretch of the listing: a quarter of what a manifest may have.
pub(crate) const LISTING_ASSETS_MAX: usize = 1024;

/// Longest wait for the other side's close frame: one slow round trip.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Pages of which bytes are counted one by one; of more the one with the fewest is forgotten. With [`COUNTED_ASSETS_MAX`] at most 16 MiB.
pub(crate) const COUNTED_PAGES_MAX: usize = 256;

/// Assets of one page that are counted one by one; the bytes of more are counted together. As many as a page set may have.
pub(crate) const COUNTED_ASSETS_MAX: usize = 512;

/// Assets named on the statistics page as still taken from the origin: as many as somebody reads.
pub(crate) const FROM_ORIGIN_MAX: usize = 16;
