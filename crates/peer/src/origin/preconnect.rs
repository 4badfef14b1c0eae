//! A connection that is opened together with the visit: the session with the tracker, which follows nearly every visit, begins a round trip earlier on it, with TLS
//! three. A server that is none of ours sees a connection on which nothing is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::Uri;
use tokio::task::JoinHandle;

use super::{Connector, Stream, connect};
use crate::limits::POOL_IDLE;

/// The connection of one origin that is opened ahead, if there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Preconnect(Arc<Mutex<Option<Opening>>>);

#[derive(Debug)]
struct Opening {
    since: Instant,
    task: JoinHandle<Option<Stream>>,
}

impl Preconnect {
    /// Begins to connect.
    pub(super) fn open(&self, connector: Connector, uri: Uri) {
        let task = tokio::spawn(async move { connect(connector, uri).await.ok() });
        let replaced = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(Opening { since: Instant::now(), task });
        if let Some(replaced) = replaced {
            replaced.task.abort();
        }
    }

    /// The connection, unless there is none, or one so old that the server may have closed it.
    pub(super) async fn take(&self) -> Option<Stream> {
        let opening = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        if opening.since.elapsed() >= POOL_IDLE {
            opening.task.abort();
            return None;
        }
        opening.task.await.ok().flatten()
    }
}
