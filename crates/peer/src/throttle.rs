//! The download limit: one bucket for everything that comes in, from peers and from the origin.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use viral_swarm::allowance::Bucket;

use crate::rate::Rate;

/// A limit that several readers share. Clones share it, too.
#[derive(Debug, Clone)]
pub(crate) struct Throttle(Option<Arc<Mutex<Bucket>>>);

impl Throttle {
    /// At most this rate; none = no limit.
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| Arc::new(Mutex::new(Bucket::new(rate.0, Instant::now())))))
    }

    /// Counts bytes that came in; until when to read nothing more.
    pub(crate) fn take(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let bucket = self.0.as_ref()?;
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now, bytes)
    }

    /// Until when to read nothing.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let bucket = self.0.as_ref()?;
        bucket.lock().unwrap_or_else(PoisonError::into_inner).due(now)
    }

    /// Counts bytes that came in and waits as long as they are too many.
    pub(crate) async fn pay(&self, bytes: usize) {
        if let Some(due) = self.take(Instant::now(), bytes) {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}
