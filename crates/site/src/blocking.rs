//! Work that blocks, off the threads that answer.

use crate::SiteError;

/// Does `work` where it may block.
///
/// # Errors
/// [`SiteError::Interrupted`] when the runtime ends before it.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SiteError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SiteError::Interrupted)
}
