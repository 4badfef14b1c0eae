//! Polling a condition up to a deadline.

use std::time::{Duration, Instant};

use tokio::sync::RwLock;

use crate::deadlines;

/// Polls `probe` until it returns `Ok`.
///
/// # Panics
/// At the deadline, with the last reason that `probe` gave.
pub async fn until<T>(what: &str, limit: Duration, probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    try_until(limit, probe).await.unwrap_or_else(|reason| panic!("still waiting after {limit:?} until {what}; last: {reason}"))
}

/// [`until`] where a condition that never holds is no failed journey.
///
/// # Errors
/// At the deadline, with the last reason that `probe` gave.
pub async fn try_until<T, E>(limit: Duration, mut probe: impl AsyncFnMut() -> Result<T, E>) -> Result<T, E> {
    let deadline = Instant::now() + limit;
    loop {
        match probe().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(deadlines::POLL_EVERY).await,
            outcome => return outcome,
        }
    }
}

/// Held by each journey that runs: one that must be alone waits for the others, and they for it.
static RUNNING: RwLock<()> = RwLock::const_new(());

/// Runs a whole journey under [`deadlines::JOURNEY`], perhaps beside another one.
///
/// # Panics
/// When the journey takes longer.
pub async fn journey<T>(steps: impl Future<Output = T>) -> T {
    let _beside_others = RUNNING.read().await;
    within_limit(steps).await
}

/// [`journey`] for one that needs the whole machine, since it has many browsers or says how fast something must be.
///
/// # Panics
/// When the journey takes longer.
pub async fn journey_alone<T>(steps: impl Future<Output = T>) -> T {
    let _alone = RUNNING.write().await;
    within_limit(steps).await
}

async fn within_limit<T>(steps: impl Future<Output = T>) -> T {
    tokio::time::timeout(deadlines::JOURNEY, steps)
        .await
        .unwrap_or_else(|_| panic!("the journey did not end within {:?}", deadlines::JOURNEY))
}
