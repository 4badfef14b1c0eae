//! Limits of sockets of WebTorrent clients.

use std::time::Duration;

/// Parts of the tracker, each with the torrents of some info-hashes behind a lock of its own: many more than processors, so that two rarely wait for each other.
pub(crate) const ANNOUNCE_SHARDS: usize = 16;

/// Bytes that wait for one slow reader; what does not fit is not passed on. The offers that it is to answer at a time are usually half of that.
pub(crate) const ANNOUNCE_QUEUE_LEN_MAX: usize = 64 * 1024;

/// Bytes put together before they are written, if so many wait: some offers.
pub(crate) const ANNOUNCE_WRITE_LEN: usize = 8 * 1024;

/// Least time between two writes to one socket, unless [`ANNOUNCE_WRITE_LEN`] bytes of replies wait: what is to be said meanwhile leaves together. A socket to which nothing was written for so long is written to at once.
pub(crate) const ANNOUNCE_WRITE_EVERY: Duration = Duration::from_millis(2);

/// Bytes in the buffer of one socket for a client that does not read; more end the session. What is put together and the longest reply, that to a scrape.
pub(crate) const ANNOUNCE_WRITE_LEN_MAX: usize = 128 * 1024;

/// Bytes that one socket may send at once: 128 torrents with five offers of 3 KiB are 2 MiB, and a client may begin with all of them.
pub(crate) const ANNOUNCE_RECEIVED_BURST_MAX: u64 = 4 * 1024 * 1024;

/// Bytes that one socket may send in a second, for ever. Clients send some kilobytes a minute; a load test sends as much as is answered.
pub(crate) const ANNOUNCE_RECEIVED_PER_S: u64 = 1024 * 1024;

/// How often peers are looked for who said nothing for too long.
pub(crate) const ANNOUNCE_TICK: Duration = Duration::from_secs(10);
