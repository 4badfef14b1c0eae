//! Every limit of the server shell, with unit and source.

use std::time::Duration;

#[cfg(feature = "tls")]
pub(crate) use http2::*;
pub(crate) use webtorrent::*;

#[cfg(feature = "tls")]
mod http2;
mod webtorrent;

/// How long the end waits for an answer of which no byte moves. Linux wakes a writer when a third of a buffer of up to 4 MB (`tcp_wmem`) is
/// free, so a reader of 44 kB/s still shows in time.
pub(crate) const SHUTDOWN_STALL: Duration = Duration::from_secs(30);

/// How long the end waits for the rest of a request: one slow round trip.
pub(crate) const SHUTDOWN_UNASKED: Duration = Duration::from_secs(1);

/// How often the end looks after each connection.
pub(crate) const SHUTDOWN_TICK: Duration = Duration::from_millis(100);

/// How long a client may read less than [`READ_LEAST_LEN`] of what is being sent to it: `send_timeout` of nginx, which asks for one byte.
pub(crate) const READ_STALL: Duration = Duration::from_secs(60);

/// Bytes that a client reads in [`READ_STALL`] at least: 0.5 kB/s, a fifth of GPRS. Only the time in which it keeps the server waiting counts.
pub(crate) const READ_LEAST_LEN: u64 = 32 * 1024;

/// Longest wait for the whole body of a post. They are 64 KiB at most, which a line of 64 kbit/s carries in 8 s.
pub(crate) const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what a client still sends is read and thrown away after the last answer, so that this answer arrives: a slow round trip.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Bytes thrown away then: what a line of 256 Mbit/s carries within [`LINGER`].
pub(crate) const LINGER_LEN_MAX: usize = 32 * 1024 * 1024;

/// Longest `Client-Cert`, in bytes: a certificate of 12 KiB, while usual ones have 1 to 2. Node.js takes 16 KiB of headers, nginx 8 KiB a line unless told otherwise.
pub(crate) const CLIENT_CERT_LEN_MAX: usize = 16 * 1024;

/// Longest `Client-Cert-Chain`, in bytes.
pub(crate) const CLIENT_CERT_CHAIN_LEN_MAX: usize = 16 * 1024;

/// Names of authorities that visitors are told in the handshake, all together, in bytes: they stand in one message with a length of 16 bits (RFC 8446 section 4.2.4).
#[cfg(feature = "tls")]
pub(crate) const CLIENT_AUTHORITIES_LEN_MAX: usize = 32 * 1024;

/// Pages whose sets are remembered. One is about 50 KiB with its reports.
pub(crate) const PAGES_MAX: usize = 2_048;

/// The file in which page sets survive a restart, in bytes: some hundred pages with all their reports, those used last first.
pub(crate) const STATE_LEN_MAX: usize = 16 * 1024 * 1024;

/// Over how long sockets of WebTorrent clients are let go where a successor serves: each client stays away for ten seconds and up to five minutes more, as it draws.
pub(crate) const LET_GO_OVER: Duration = Duration::from_secs(5 * 60);

/// The first of them go after this share of that time: first the successor is to have the visitors who come back at once.
pub(crate) const LET_GO_FROM: f64 = 0.1;

/// How long after a change it is written: a crash loses no more than this.
pub(crate) const STATE_PAUSE: Duration = Duration::from_secs(10);

/// Manifests kept to be fetched, all pages together, in bytes. 64 MiB are about 1,000 manifests of a 20 MiB app.
pub(crate) const MANIFESTS_LEN_MAX: usize = 64 * 1024 * 1024;

/// Deflated pieces kept, in bytes.
pub(crate) const DEFLATED_LEN_MAX: usize = 32 * 1024 * 1024;

/// Offers inlined in a thin answer. Four dials open in about 60 ms (PLATFORM section 3); more do not fit the 14,600 bytes of a first round trip.
pub(crate) const THIN_OFFERS_MAX: usize = 4;

/// Manifests that a visitor's worker may say it stores. It stores those of the pages visited last.
pub(crate) const STORED_NAMES_MAX: usize = 8;

/// Title repeated in a thin answer, in characters; tabs show about 30.
pub(crate) const TITLE_LEN_MAX: usize = 120;

/// Messages waiting for one slow reader of a WebSocket before it is dropped. The tracker's own bursts are under ten.
pub(crate) const SOCKET_QUEUE_MAX: usize = 64;

/// Buffer that a WebSocket reads into, in bytes: most signals are shorter, and a longer one gets room of its own while it comes. A socket has it as long as it is
/// awake; the library's own choice is 128 KiB.
pub(crate) const SOCKET_READ_LEN: usize = 4 * 1024;

/// Bytes that wait in one WebSocket's buffer for a client that does not read, answers to its pings among them; more end the session. Two of the longest signals.
pub(crate) const SOCKET_WRITE_LEN_MAX: usize = 2 * viral_wire::limits::SIGNAL_LEN_MAX;

/// How long a WebSocket keeps its buffers after the last thing that was said: peers that meet say several things within a second.
pub(crate) const SOCKET_AWAKE: Duration = Duration::from_secs(1);

/// Pings and pongs that a client may send at once. Browsers send one pong for each ping of ours, other clients their own pings every few seconds.
pub(crate) const SOCKET_CONTROL_BURST_MAX: u64 = 32;

/// Pings and pongs that a client may send in a second, for ever.
pub(crate) const SOCKET_CONTROL_PER_S: u64 = 1;

/// Measures of visitors' lines that wait to be looked at.
pub(crate) const RATES_MAX: usize = 256;

/// Bytes that one WebSocket may send at once, whatever they are: a message may come as frames of which nobody hears, empty ones for example. Sixteen of the longest signals.
pub(crate) const SOCKET_RECEIVED_BURST_MAX: u64 = 16 * viral_wire::limits::SIGNAL_LEN_MAX as u64;

/// Bytes that one WebSocket may send in a second, for ever: one of the longest signals. A busy native peer of a large crowd says some kilobytes.
pub(crate) const SOCKET_RECEIVED_PER_S: u64 = viral_wire::limits::SIGNAL_LEN_MAX as u64;

/// How often the server pings a WebSocket: under the 60 s after which common proxies cut idle connections.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Silence after which a WebSocket is given up: three pings.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Longest a write to a WebSocket may take.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Readers of a lineage stream at one time: each is a connection held open.
pub(crate) const LINEAGE_READERS_MAX: usize = 1_000;

/// Longest header of the PROXY protocol, in bytes: the addresses take 52 or 107, and the longest additions in use, names of certificates, some hundred.
pub(crate) const PROXY_HEADER_LEN_MAX: usize = 2_048;

/// Longest wait for it: proxies send it with the first packet, which is sent again after 1 s and after 3 s where it is lost (RFC 6298).
pub(crate) const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for a request's head (RFC 9110 names none; nginx waits 60 s, hyper 30 s).
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest head of a request, in bytes: what nginx takes at most (`large_client_header_buffers` of 4 times 8 KiB). It is also the buffer that a connection reads and writes through at
/// most. More is `431`.
pub(crate) const HEAD_LEN_MAX: usize = 32 * 1024;

/// Connections open at one time, WebSockets included (the tracker holds 50,000, about 7 KiB each). At about 20 KiB for one that is no WebSocket they are 650 MiB with those.
pub(crate) const CONNECTIONS_MAX: usize = 65_536;

/// Connections that wait for a place while their network has most of them, and those that must end and have not: each has a descriptor, of the quarter that
/// is left. An eighth of the places where that is less.
pub(crate) const WAITING_CONNECTIONS_MAX: usize = 64;

/// Pages that the dashboard names: as many as somebody reads.
pub(crate) const WATCHED_PAGES_MAX: usize = 20;

/// How long the dashboard is shown the same numbers of pages.
pub(crate) const WATCHED_PAGES_AGE: Duration = Duration::from_secs(10);

/// Seconds between two words in the log of wrong tokens on the operator's address.
pub(crate) const WRONG_TOKEN_LOG_S: u64 = 60;

/// Connections open at one time on the operator's address: people and tools, not visitors.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Visitors in a row, from the start, who are given the addition and ask for nothing of ours, before the operator hears of it. One in ten may have no scripts or block ours.
pub(crate) const UNASKED_MAX: u32 = 10;

/// Upper ends of the classes into which the times of decisions fall in `/metrics`, in seconds: a decision takes some tens of microseconds.
pub(crate) const DECISION_BUCKETS_S: [f64; 12] =
    [0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5];

/// The same of times until an app was there.
pub(crate) const APP_BUCKETS_S: [f64; 18] =
    [0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 60.0, 120.0];

/// Lines of the access log that wait to be written; more are dropped and counted. Of usual lines they are 1 MiB, of the longest ones 45 MiB.
pub(crate) const ACCESS_LOG_LINES_MAX: usize = 4_096;

/// Bytes of the access log written at one time, if so many wait.
pub(crate) const ACCESS_LOG_BATCH_LEN: usize = 64 * 1024;

/// Between two warnings that lines of the access log were dropped.
pub(crate) const ACCESS_LOG_COMPLAINT: Duration = Duration::from_secs(60);

/// How long the end waits for the access log.
pub(crate) const ACCESS_LOG_END: Duration = Duration::from_secs(2);

/// Pause before the folder of a Unix socket is locked again: another program holds the lock while it begins to listen, for less than a millisecond.
pub(crate) const SOCKET_LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How often that is tried: for a second.
pub(crate) const SOCKET_LOCK_ATTEMPTS_MAX: usize = 20;

/// Pause after `accept` failed, for lack of file descriptors for example.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two lines of the log about that.
pub(crate) const ACCEPT_COMPLAINT: Duration = Duration::from_secs(60);

/// Longest wait for the other side's close frame: one slow round trip.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Connections served before the site was read: each is one request, and the kernel queues some hundred more.
pub(crate) const EARLY_CONNECTIONS_MAX: usize = 256;

/// How long the head of an early request may take.
pub(crate) const EARLY_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after a connection could not be accepted, as when descriptors are used up.
pub(crate) const EARLY_PAUSE: Duration = Duration::from_millis(100);

/// Answers that are under way when the site is ready have so long to end: their connections are not among those that the server counts.
pub(crate) const EARLY_REST: Duration = Duration::from_secs(60);

/// Compressed bytes of a page that are unpacked at once: gzip makes at most 1,032 of one, so these come to 4 MiB.
pub(crate) const GUNZIP_AT_ONCE: usize = 4 << 10;

/// Longest script of a site's own service worker that ours is put in front of, in bytes: those that list what they store have some 100 KiB.
pub(crate) const WORKER_SCRIPT_LEN_MAX: usize = 4 * 1024 * 1024;

/// Level of gzip for pages that are made for each visitor, as nginx has it for what it compresses by the way.
pub(crate) const PERSONAL_GZIP_LEVEL: u32 = 1;

/// Longest wait for the handshake of TLS: two round trips, whose packets are sent again after 1 s and after 3 s where they are lost (RFC 6298).
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether quiet hours begin or end, for whose clock is set.
pub(crate) const QUIET_LOOK: Duration = Duration::from_secs(60);

/// Sessions that are told at once that quiet hours begin or end, and the pause after them: 20,000 within 4 s.
pub(crate) const QUIET_TOLD_AT_ONCE: usize = 500;

/// See [`QUIET_TOLD_AT_ONCE`].
pub(crate) const QUIET_TOLD_PAUSE: Duration = Duration::from_millis(100);

/// How often the operator's files of sites and geography are looked at. A changed one is read at the second look at the earliest.
pub(crate) const LOCALITY_LOOK: Duration = Duration::from_secs(2);

/// Bytes of one file of geography: GeoLite2 City has 60 MB, IPinfo's largest 1 GB with what nobody here needs.
#[cfg(feature = "geo")]
pub(crate) const GEO_FILE_LEN_MAX: u64 = 512 * 1024 * 1024;

/// Files of geography: one for networks, one for countries, and as many for each family.
#[cfg(feature = "geo")]
pub(crate) const GEO_FILES_MAX: usize = 8;

/// Bytes of one buffer that STUN is received in. A request has [`STUN_LEN_MAX`](viral_wire::limits::STUN_LEN_MAX) at most, and the system may join some of one sender.
pub(crate) const STUN_ROOM_LEN: usize = 2 * 1024;

/// Batches of datagrams, 32 each on Linux, that one socket takes before others get a turn: about half a millisecond.
pub(crate) const STUN_BATCHES_PER_TURN: usize = 8;

/// Bytes that wait for STUN in the system: about 1,000 datagrams as Linux counts them.
pub(crate) const STUN_RECEIVE_BUFFER_LEN: usize = 1024 * 1024;

/// Pause after receiving failed.
pub(crate) const STUN_PAUSE: Duration = Duration::from_millis(100);

/// Messages to other servers of the site that wait to be sent: what a busy second has. Beyond, they are lost, and whoever waits for a reply goes on without.
pub(crate) const CLUSTER_SEND_QUEUE_MAX: usize = 1_024;

/// Questions to other servers that wait for a reply.
pub(crate) const CLUSTER_WAITING_MAX: usize = 4_096;

/// Longest wait of a visit for other servers' peers. They reply within milliseconds, or are in trouble.
pub(crate) const CLUSTER_SEEK_WAIT: Duration = Duration::from_millis(250);

/// Longest wait of answers for the server to which they go: whoever sends them has nothing better to do.
pub(crate) const CLUSTER_ANSWER_WAIT: Duration = Duration::from_secs(1);

/// Messages with answers of one session that are on their way to other servers at once and whose sender is told when they left: as many as it may wait for.
pub(crate) const CLUSTER_TOLD_MAX: usize = viral_swarm::client::config::WITHHELD_MAX;

/// How often a server tells the others how it is.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_HELLO: Duration = Duration::from_millis(500);

/// Longest wait for a connection to Redis, at the start and later.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_CONNECT_WAIT: Duration = Duration::from_secs(3);

/// Longest wait for a reply of Redis; then it counts as gone.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_REPLY_WAIT: Duration = Duration::from_secs(2);

/// First pause after Redis was lost, doubled until the longest.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_PAUSE: Duration = Duration::from_millis(100);
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Messages published at once.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_BATCH_MAX: usize = 64;

/// For how long Redis lends a server its number, in milliseconds, as Redis counts; renewed with each hello.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_NUMBER_LEASE_MS: u64 = 15_000;

/// Numbers that are tried: with the most servers that a cluster has, one of a thousand is taken.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_NUMBER_TRIES: u32 = 8;

/// Bytes of what is learned of one page, as JSON. Larger ones are not shared.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_PAGE_LEN_MAX: usize = 256 * 1024;

/// What a server saw of visits and the others were not told yet: more than it can send until it tells them.
pub(crate) const CLUSTER_SEEN_MAX: usize = 8_192;

/// How much of that is in one message: about 32 KiB.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_SEEN_AT_ONCE: usize = 256;

/// How often a server tells the others what it saw of visits. A page says what it used after it was quiet for longer.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_TELL: Duration = Duration::from_millis(200);

/// A connection to Redis that lasted so long was a good one: the next try comes soon after it ends.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_LIVED: Duration = Duration::from_secs(10);

/// Pages of which the others are told at once: each waits for Redis.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_PAGES_AT_ONCE: usize = 8;
