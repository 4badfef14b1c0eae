//! What happens without anybody asking: time passes, and the site changes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::{Duration, sleep, sleep_until};
use viral_swarm::quiet::QuietHours;

use super::Hub;
use crate::limits::{QUIET_LOOK, QUIET_TOLD_AT_ONCE, QUIET_TOLD_PAUSE};

/// Calls the tracker when something is due. Runs until it is aborted.
pub(crate) async fn keep_time(hub: Arc<Hub>) {
    loop {
        let due_ms = hub.lock().due_ms;
        let due = async {
            match due_ms {
                Some(due_ms) => sleep_until(hub.start + Duration::from_millis(due_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                hub.lock().due_ms = None;
                hub.with(|inner, now_ms| inner.tracker.handle_timeout(now_ms));
            }
            () = hub.due_earlier.notified() => {}
        }
    }
}

/// Tells the tracker when quiet hours begin and end, and those who are there. Runs until it is aborted.
pub(crate) async fn keep_quiet(hub: Arc<Hub>, hours: QuietHours) {
    let mut was_quiet = None;
    loop {
        let now_s = unix_s();
        let is_quiet = hours.are_at(now_s);
        if was_quiet.replace(is_quiet) != Some(is_quiet) {
            tracing::info!(%hours, is_quiet, "browsers are asked to give nothing in quiet hours");
            hub.lock().tracker.set_quiet(is_quiet);
            while hub.with(|inner, now_ms| inner.tracker.tell_quiet(now_ms, QUIET_TOLD_AT_ONCE)) {
                sleep(QUIET_TOLD_PAUSE).await;
            }
        }
        // The system's clock may be set meanwhile.
        sleep(Duration::from_secs(hours.change_in_s(now_s)).min(QUIET_LOOK)).await;
    }
}

/// Seconds since 1970, by the system's clock.
pub(crate) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Makes every visited page's manifest anew when the site changes. Runs until it is aborted.
pub(crate) async fn follow_versions(hub: Arc<Hub>) {
    let mut versions = hub.around.site.subscribe();
    while versions.changed().await.is_ok() {
        versions.borrow_and_update();
        let paths = hub.lock().pages.paths();
        for path in paths {
            // One page at a time, so that nobody waits for all of them.
            hub.with(|inner, now_ms| {
                let change = inner.pages.handle_version(&hub.around.site.current(), &path);
                inner.apply(now_ms, change);
            });
            tokio::task::yield_now().await;
        }
    }
}

/// Hands what visits say by their requests to the hub. Runs until it is aborted.
pub(crate) async fn follow_visits(hub: Arc<Hub>) {
    loop {
        for said in hub.visits().due().await {
            hub.seen(said);
        }
    }
}
