//! Every maximum, wait and threshold of the native peer's I/O, with its unit and where the number comes from.
//!
//! Where a browser has the same limit, the value is the same as in `browser/src/shell/limits.ts`.

use std::time::Duration;

/// How often a mirror asks the server whether the site's assets changed, in milliseconds: one request without a body a minute.
pub(crate) const LISTING_MS: u64 = 60_000;

/// Assets of a site that a mirror takes: four times what the engine's 4 GiB hold at 64 KiB each.
pub(crate) const LISTED_ASSETS_MAX: usize = 262_144;

/// A manifest that the origin has not sent after this is asked for anew: well under `STALL`, and 40 KB/s for one of 500 KiB.
pub(crate) const MANIFEST_WAIT: Duration = Duration::from_secs(12);

/// A connection that was answered and from whose other end nothing was ever heard for this long is given up: whoever is at the addresses we were told did not ask for it. A first
/// contact takes a round trip and the way of the answer; Firefox gives up at the same time (PLATFORM section 4).
pub(crate) const ICE_SILENCE: Duration = Duration::from_secs(5);

/// Longest wait for the first peer of one asset before the origin is asked: what the engine grants a dial.
pub(crate) const MEET: Duration = Duration::from_millis(1_200);

/// Bytes the SCTP layer may hold for one connection before frames wait in our own queue: a few times the 256 KiB of the upload engine.
pub(crate) const SCTP_BUFFERED_MAX: usize = 2 * 1024 * 1024;

/// Bytes of frames that may wait for one connection, a whole manifest included; a peer that lets more pile up is dropped.
pub(crate) const LINK_QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A channel with no more than this buffered asks for more. The low mark of the upload engine.
pub(crate) const CHANNEL_LOW_BYTES: usize = 64 * 1024;

/// Bytes of pieces in flight over all connections together, besides twice what their paths hold: a fifth of a second at 2 Mbit/s.
pub(crate) const LINE_LEN_MIN: usize = 48 * 1024;

/// A connection whose oldest piece is on its way for this long does not hold up the others: twice what a full queue of our own line explains.
pub(crate) const STUCK: Duration = Duration::from_millis(500);

/// Datagrams read from one socket before timers and engines have their turn: 64 of 1.2 KiB are 77 KiB, a millisecond.
pub(crate) const DATAGRAMS_PER_TURN: usize = 64;

/// Longest datagram that str0m is to make, in bytes: what fits the smallest packet that IPv6 carries everywhere (RFC 8200 section 5: 1,280 bytes) beside its headers of 48.
pub(crate) const DATAGRAM_LEN_AIM: usize = 1_232;

/// Largest datagram taken, in bytes. DTLS records stay below the path's MTU; 2,000 is what str0m itself allocates.
pub(crate) const DATAGRAM_LEN_MAX: usize = 2_000;

/// Receive and send buffer of a UDP socket, in bytes: a burst of 4 MiB at most; the system may allow less.
pub(crate) const SOCKET_BUFFER_LEN: usize = 4 * 1024 * 1024;

/// Under a download limit the receive buffer holds what flows in this time, so that waiting packets stay fresh.
pub(crate) const LIMITED_BUFFER_MS: u64 = 200;

/// Smallest receive buffer under a download limit, in bytes: one congestion window at the start.
pub(crate) const LIMITED_BUFFER_LEN_MIN: usize = 32 * 1024;

/// Bytes of encoded pieces kept in memory, so that ten leechers cost one compression.
pub(crate) const ENCODED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Assets of a memory store, in bytes together; beyond, an unlinked temporary file holds them.
pub(crate) const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Longest a TCP connection, TLS and a WebSocket handshake may take together.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for the head of an answer of the origin.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// A visit whose answer has not begun after this is made once more, on another connection: behind a hundred others TCP may have lost so much that it waits for ten
/// seconds and more. Less than [`CONNECT_WAIT`].
pub(crate) const VISIT_AGAIN: Duration = Duration::from_secs(8);

/// A server that says that it is only starting is asked again so often, with this pause between: two minutes in all.
pub(crate) const STARTING_TRIES: usize = 120;

/// See [`STARTING_TRIES`].
pub(crate) const STARTING_PAUSE: Duration = Duration::from_secs(1);

/// A body of the origin that gives nothing for this long has ended.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(15);

/// An HTTP connection that nobody uses is closed after this: longer than the engine's pause after a failure, usually.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(5);

/// The tracker pings every 30 s; after three missed ones the session is dead.
pub(crate) const TRACKER_SILENCE: Duration = Duration::from_secs(95);

/// Bytes that wait to be sent to the tracker, answers to its pings among them: several of the longest signals, and the buffer in which short ones are gathered.
pub(crate) const SOCKET_WRITE_LEN_MAX: usize = 16 * viral_wire::limits::SIGNAL_LEN_MAX;

/// Signals waiting in either direction between the peer and its session.
pub(crate) const SIGNALS_MAX: usize = 256;

/// Pieces from the origin that wait to be verified: the engine asks for 64 at a time.
pub(crate) const ORIGIN_EVENTS_MAX: usize = 64;

/// Longest answer of `/.viral/doctor.json`, in bytes: an address, two words and a few numbers.
pub(crate) const DOCTOR_VIEW_LEN_MAX: usize = 4 * 1024;

/// Largest document taken, in bytes decoded. The largest real ones are single-file apps of some tens of megabytes.
pub(crate) const DOCUMENT_LEN_MAX: usize = 256 * 1024 * 1024;

/// Redirects followed: what browsers allow is 20, what sites need is two (to TLS, to the slash).
pub(crate) const REDIRECTS_MAX: usize = 5;

/// Leechers a visitor is willing to serve at once: every connection of a crowd, since a refusal costs the other side its knowledge of what is here.
pub(crate) const VISITOR_SLOTS: u8 = 16;

/// Leechers a seeder is willing to serve at once; the tracker allows 16 at most.
pub(crate) const SEEDER_SLOTS: u8 = 16;

/// Pages one `viral seed` mirrors.
pub(crate) const SEEDED_URLS_MAX: usize = 64;

/// A download is given up when nothing came for this long: behind a hundred others one answer of the origin may take `ANSWER_WAIT`, and then it is asked once more.
pub const STALL: Duration = Duration::from_secs(40);

/// Longest sleep of a peer for which nothing is due: so seldom that it costs nothing.
pub(crate) const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// Signals to close connections well are given this long at the end.
pub(crate) const GOODBYE: Duration = Duration::from_millis(250);
