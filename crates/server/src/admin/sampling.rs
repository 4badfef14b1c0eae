//! Looks now and then at what is counted, so that the dashboard can show what was.

use std::sync::Weak;

use tokio::time::{Duration, MissedTickBehavior, interval};
use viral_swarm::limits::HOUR_STEP_MS;

use crate::app::App;

/// Notes what is counted, as long as there is a site.
pub(crate) async fn sample(app: Weak<App>) {
    // More often than every step, so that none is missed.
    let mut ticks = interval(Duration::from_millis(HOUR_STEP_MS / 3));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        let (counted, sessions) = app.counters();
        app.watch.note(counted, sessions, app.site.current().tag().to_string());
    }
}
