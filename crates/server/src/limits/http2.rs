//! Limits of connections over HTTP/2.

use std::time::Duration;

/// Requests that one HTTP/2 connection may have under way: what RFC 9113 section 6.5.2 says is the least to allow, and browsers reckon with.
pub(crate) const HTTP2_STREAMS_MAX: u32 = 100;

/// Bytes that clients may send of one request's body before somebody read them, over HTTP/2: the default of RFC 9113 section 6.9.2. A line of 100 ms carries 5 Mbit/s so.
pub(crate) const HTTP2_STREAM_WINDOW: u32 = 65_535;

/// The same of all bodies of a connection: eight of them.
pub(crate) const HTTP2_CONNECTION_WINDOW: u32 = 8 * HTTP2_STREAM_WINDOW;

/// Longest frame that clients may send, in bytes: the least there is (RFC 9113 section 4.2).
pub(crate) const HTTP2_FRAME_LEN_MAX: u32 = 16 * 1024;

/// Bytes of one answer that wait in an HTTP/2 connection to be sent: at 1 Gbit/s they last 2 ms. Of all answers of a connection 25 MiB at worst:
/// a client asks for 100 and lets none of them through.
pub(crate) const HTTP2_SEND_LEN_MAX: usize = 256 * 1024;

/// Bytes of an answer that an HTTP/2 connection is handed at a time: with the 9 of its head (RFC 9113 section 4.1) a frame fills one TLS record
/// (RFC 8446 section 5.1). Were it longer, each frame would cost a second record for its last bytes.
pub(crate) const HTTP2_CHUNK_LEN_MAX: usize = 16 * 1024 - 9;

/// List of headers that HTTP/2 reads at most, in bytes as RFC 9113 section 6.5.2 counts: 32 more for each. Twice what a head may have, so that our own answer says what is too long.
pub(crate) const HTTP2_HEADERS_LEN_MAX: u32 = 64 * 1024;

/// Requests taken back before anybody looked at them: more end the connection (CVE-2023-44487). The default of h2.
pub(crate) const HTTP2_RESETS_PENDING_MAX: usize = 20;

/// Requests of one connection that we take back because they break the protocol: more end the connection (CVE-2025-8671).
pub(crate) const HTTP2_RESETS_OF_OURS_MAX: usize = 64;

/// How often an HTTP/2 connection is looked at for whether its client still reads.
pub(crate) const HTTP2_TICK: Duration = Duration::from_secs(15);

/// Stretches of bytes of one connection that are told apart by what they are for, until they leave; more are counted together. Two for each request.
pub(crate) const HTTP2_STRETCHES_MAX: usize = 2 * HTTP2_STREAMS_MAX as usize;
