//! What one connection sent and for which cause, counted where the bytes leave, so that it holds whoever wrote them: handlers, hyper or a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use http::Request;
use tokio::time::Instant;

#[cfg(feature = "tls")]
use crate::shares::Shares;
use crate::stats::{Cause, Stats};
use viral_swarm::allowance::Allowance;

/// The meter of a connection. Requests that go through the router carry a clone among their extensions.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<State>);

#[derive(Debug)]
struct State {
    /// None where no site is asked yet, and on the operator's own address, whose bytes are nobody's visit.
    stats: ArcSwapOption<Stats>,
    cause: AtomicU8,
    sent: AtomicU64,
    answering: AtomicBool,
    lingers: AtomicBool,
    /// What it may send at once and in a second, in bytes, since it is a WebSocket; 0 before.
    session_burst: AtomicU64,
    session_per_s: AtomicU64,
    /// Where several answers share the connection, they know what leaves.
    #[cfg(feature = "tls")]
    shares: Option<Arc<Shares>>,
}

impl Meter {
    /// For a new connection with one answer at a time, or for one answer of several.
    pub(crate) fn new(stats: Option<Arc<Stats>>) -> Self {
        Self(Arc::new(State::new(stats)))
    }

    /// For a new connection whose answers share it.
    #[cfg(feature = "tls")]
    pub(crate) fn shared(stats: Option<Arc<Stats>>, shares: Arc<Shares>) -> Self {
        Self(Arc::new(State { shares: Some(shares), ..State::new(stats) }))
    }
    /// These many bytes left.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Relaxed);
        let beyond = self.0.beyond_shares(bytes as u64);
        if let Some(stats) = self.0.stats.load().as_ref().filter(|_| beyond > 0) {
            stats.add_sent(Cause::from_index(self.0.cause.load(Relaxed)), beyond);
        }
    }

    /// Nothing could be written from `since` until now; `bytes` went out since that last was so.
    pub(crate) fn note_blocked(&self, address: IpAddr, since: Instant, bytes: u64) {
        if let Some(stats) = self.0.stats.load().as_ref() {
            stats.note_blocked(address, since, bytes);
        }
    }

    /// For what bytes of the answer are, and who counts them.
    #[cfg(feature = "tls")]
    pub(crate) fn account(&self) -> (Option<Arc<Stats>>, Cause) {
        (self.0.stats.load_full(), Cause::from_index(self.0.cause.load(Relaxed)))
    }

    /// Bytes that left, for whatever cause.
    pub(crate) fn sent(&self) -> u64 {
        self.0.sent.load(Relaxed)
    }

    /// What leaves from now on has this cause.
    ///
    /// A client that sends requests ahead of the answers may have the end of one answer counted for the cause of the next; the sum is exact.
    pub(crate) fn set_cause(&self, cause: Cause) {
        self.0.cause.store(cause as u8, Relaxed);
    }

    /// What leaves from now on is counted for this site, where a connection may come to several.
    pub(crate) fn count_for(&self, stats: &Arc<Stats>) {
        if self.0.stats.load().as_ref().is_none_or(|current| !Arc::ptr_eq(current, stats)) {
            self.0.stats.store(Some(Arc::clone(stats)));
        }
    }

    /// Bytes came: until they turn out to be a whole request, the rest may still be on its way.
    pub(crate) fn note_received(&self) {
        self.0.lingers.store(true, Relaxed);
    }

    /// A request's head was read.
    pub(crate) fn begin<B: http_body::Body>(&self, request: &Request<B>) {
        let is_whole = request.body().is_end_stream();
        self.set_cause(Cause::of_path(request.uri().path()));
        self.0.answering.store(is_whole, Relaxed);
        self.0.lingers.store(!is_whole, Relaxed);
    }

    /// The connection is a WebSocket from now on, on which the client may send `burst` bytes at once and `per_s` in a second.
    pub(crate) fn begin_session(&self, burst: u64, per_s: u64) {
        self.0.session_burst.store(burst, Relaxed);
        self.0.session_per_s.store(per_s, Relaxed);
    }

    /// What the client may send from now on, if the connection became a WebSocket.
    pub(crate) fn session_allowance(&self) -> Option<Allowance> {
        let per_s = self.0.session_per_s.load(Relaxed);
        (per_s > 0).then(|| Allowance::new(self.0.session_burst.load(Relaxed), per_s))
    }

    /// The answer to the last request is being sent.
    pub(crate) fn begin_answer(&self) {
        self.0.answering.store(true, Relaxed);
    }

    /// Whether nothing came and nothing left yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.sent() == 0 && !self.lingers() && !self.is_answering()
    }

    /// Whether somebody waits for an answer whose request is there; false while a head or a body is still on its way.
    pub(crate) fn is_answering(&self) -> bool {
        self.0.answering.load(Relaxed)
    }

    /// Whether the client may still be sending a head or a body when the connection ends.
    pub(crate) fn lingers(&self) -> bool {
        self.0.lingers.load(Relaxed)
    }
}

impl State {
    fn new(stats: Option<Arc<Stats>>) -> Self {
        Self {
            stats: ArcSwapOption::new(stats),
            cause: AtomicU8::new(Cause::Documents as u8),
            sent: AtomicU64::new(0),
            answering: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            session_burst: AtomicU64::new(0),
            session_per_s: AtomicU64::new(0),
            #[cfg(feature = "tls")]
            shares: None,
        }
    }

    /// Of these bytes, which left, those that none of several answers is known to have been sent.
    fn beyond_shares(&self, len: u64) -> u64 {
        #[cfg(feature = "tls")]
        if let Some(shares) = &self.shares {
            return shares.leave(len);
        }
        len
    }
}
