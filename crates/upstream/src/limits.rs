//! Every maximum and wait of talking to another server, with its unit and where the number comes from.

use std::time::Duration;

/// Longest wait for a connection to the other server: on one machine or in one data centre it takes milliseconds, and SYN is repeated after 1 and 3 s.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Default of `Settings::answer_wait`: the head of an answer comes within this, or the visitor is told that it did not. As nginx's `proxy_read_timeout`.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// Idle connections are kept this long: less than the 75 s of nginx, more than the 5 s of node, whose end is noticed.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(60);

/// Idle connections kept at most: what a burst of visitors opened is used again.
pub(crate) const POOL_IDLE_MAX: usize = 128;

/// What a visitor is told to wait before it asks again when the other server does not answer, in seconds.
pub(crate) const RETRY_AFTER_S: u64 = 5;

/// Largest answer that is kept to travel, in bytes: a large wasm or model file. Larger ones pass by.
pub(crate) const ANSWER_LEN_MAX: u64 = 512 * 1024 * 1024;

/// Answers below this many bytes stay in memory while they are fetched.
pub(crate) const MEMORY_LEN_MAX: usize = 1024 * 1024;

/// Bytes of all that is kept to travel: the object store has it on disk.
pub(crate) const KEPT_LEN_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// Addresses of which anything is remembered: ten times the files of a large app, at about 300 B each.
pub(crate) const PATHS_MAX: usize = 50_000;

/// Answers that may travel at once: an app that answers every path with its page has no more pages than this.
pub(crate) const SHARED_MAX: usize = 20_000;

/// Queries and hosts of one path that are remembered: versions of a file, as `?v=3`.
pub(crate) const WAYS_MAX: usize = 16;

/// Longest query or host that is remembered, in bytes.
pub(crate) const WAY_LEN_MAX: usize = 256;

/// Longest path that is remembered, in bytes.
pub(crate) const PATH_LEN_MAX: usize = 1_024;

/// What depends on a query is not looked at again before this.
pub(crate) const DEPENDS_FOR: Duration = Duration::from_secs(86_400);

/// Addresses that wait to be looked at.
pub(crate) const QUEUE_MAX: usize = 4_096;

/// Addresses looked at at the same time: the other server has visitors to serve.
pub(crate) const LOOKS_MAX: usize = 4;

/// Longest time one fetch of the learner may take.
pub(crate) const FETCH_WAIT: Duration = Duration::from_secs(120);

/// What did not become shareable is looked at again after this, if somebody asks for it.
pub(crate) const REFUSED_FOR: Duration = Duration::from_secs(60);

/// So long after the first of several answers was learned a version is made of all: what one page loads comes together.
pub(crate) const PUBLISH_AFTER: Duration = Duration::from_millis(250);

/// Of the time, making versions takes at most one part in so many.
pub(crate) const PUBLISH_SHARE: u32 = 10;

/// An answer without a life of its own is compared with the other server's at most this often.
pub(crate) const FRESH_LEAST: Duration = Duration::from_secs(1);

/// Greatest age that is told apart from greater ones: what RFC 9111 section 1.2.2 has for a number that does not fit.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(1 << 31);

/// Longest wait of a visitor for that comparison.
pub(crate) const FRESHEN_WAIT: Duration = Duration::from_secs(2);

/// How often what is stale is compared with the other server's while anybody visits.
pub(crate) const SWEEP: Duration = Duration::from_secs(10);

/// Answers compared in one sweep; all of them once a document changed.
pub(crate) const SWEEP_MAX: usize = 256;

/// Versions kept, the newest included: what a download began with stays readable.
pub(crate) const VERSIONS_KEPT: usize = 8;

/// Versions older than this are forgotten when the next one is made.
pub(crate) const VERSION_KEPT_FOR: Duration = Duration::from_secs(600);

/// Resources that an audit looks at.
pub(crate) const AUDIT_RESOURCES_MAX: usize = 500;
