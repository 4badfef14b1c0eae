//! Every limit of the server shell, with unit and source.

use std::time::Duration;

/// Longest a shutdown waits for answers in flight.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Documents whose boot sets are remembered. One is about 50 KiB with its reports.
pub(crate) const PAGES_MAX: usize = 2_048;

/// Manifests kept to be fetched, all pages together, in bytes. 64 MiB are about 1,000 manifests of a 20 MiB app.
pub(crate) const MANIFESTS_LEN_MAX: usize = 64 * 1024 * 1024;

/// Deflated pieces kept, in bytes.
pub(crate) const DEFLATED_LEN_MAX: usize = 32 * 1024 * 1024;

/// Offers inlined in a thin answer. Four dials open in about 60 ms; more do not fit the 14,600 bytes (DESIGN section 1).
pub(crate) const THIN_OFFERS_MAX: usize = 4;

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

/// Connections served at one time on one listener. 16,384 at about 20 KiB each are 320 MiB.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;

/// Assets shorter than this are not worth introductions, in bytes: the origin sends them in one round trip (RFC 6928).
pub(crate) const RECORD_LEN_MIN: u64 = 16 * 1024;

/// Longest wait for the other side's close frame: one slow round trip.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(1);
