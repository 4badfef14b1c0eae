//! Polling a condition up to a deadline.

use std::time::{Duration, Instant};

use crate::deadlines;

/// Polls `probe` until it returns `Ok`.
///
/// # Panics
/// At the deadline, with the last reason that `probe` gave.
pub async fn until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(reason) if Instant::now() >= deadline => {
                panic!("still waiting after {limit:?} until {what}; last: {reason}")
            }
            Err(_) => tokio::time::sleep(deadlines::POLL_EVERY).await,
        }
    }
}

/// Runs a whole journey under [`deadlines::JOURNEY`].
///
/// # Panics
/// When the journey takes longer.
pub async fn journey<T>(steps: impl Future<Output = T>) -> T {
    tokio::time::timeout(deadlines::JOURNEY, steps)
        .await
        .unwrap_or_else(|_| panic!("the journey did not end within {:?}", deadlines::JOURNEY))
}
