//! What systemd is told of the program's state (sd_notify(3)). Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often systemd is told that a long start goes on.
const STARTING_TOLD: Duration = Duration::from_secs(15);

/// How long it is asked to wait from then on, in microseconds: four times as long, for a busy machine.
const STARTING_WAIT_USEC: u32 = 60_000_000;

/// Carries out a start that may take long, which systemd would otherwise end after 90 s.
pub(crate) async fn starting<T>(start: impl Future<Output = T>) -> T {
    tokio::pin!(start);
    let mut told = tokio::time::interval(STARTING_TOLD);
    loop {
        tokio::select! {
            biased;
            done = &mut start => return done,
            _ = told.tick() => tell(&[NotifyState::ExtendTimeoutUsec(STARTING_WAIT_USEC)]),
        }
    }
}

/// Visitors are served.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Settings and site are read anew; [`ready`] says that it is done.
pub(crate) fn reloading() {
    // Without the time systemd would take it for an old one.
    let time = NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0));
    tell(&[NotifyState::Reloading, time]);
}

/// The end has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The service is another process from now on.
pub(crate) fn succeeded_by(process: u32) {
    // It serves already, and a reload that this process began is over.
    tell(&[NotifyState::MainPid(process), NotifyState::Ready]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told of the state at $NOTIFY_SOCKET");
    }
}
