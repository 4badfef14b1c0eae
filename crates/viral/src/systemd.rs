//! What systemd is told of the program's state, and the sockets that it hands over (sd_notify(3), sd_listen_fds(3)). Without systemd nothing happens.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener};
use viral_server::Listener;

/// How often systemd is told that a long start goes on.
const STARTING_TOLD: Duration = Duration::from_secs(15);

/// How long it is asked to wait from then on, in microseconds: four times as long, for a busy machine.
const STARTING_WAIT_USEC: u32 = 60_000_000;

/// The sockets that systemd listens on for this program; none without socket activation.
///
/// # Errors
/// When one of them is nothing to accept connections on.
pub(crate) fn sockets() -> anyhow::Result<Vec<Listener>> {
    let mut given = ListenFd::from_env();
    (0..given.len()).filter_map(|at| socket(&mut given, at).transpose()).collect()
}

fn socket(given: &mut ListenFd, at: usize) -> anyhow::Result<Option<Listener>> {
    let number = at + 1;
    let unfit = || format!("socket {number} of those that systemd gives cannot be used; give ListenStream= and Accept=no in its unit");
    if let Ok(listener) = given.take_tcp_listener(at) {
        let Some(listener) = listener else { return Ok(None) };
        if TcpStream::from(OwnedFd::from(listener.try_clone()?)).peer_addr().is_ok() {
            bail!(unfit());
        }
        listener.set_nonblocking(true).with_context(unfit)?;
        return Ok(Some(TcpListener::from_std(listener).with_context(unfit)?.into()));
    }
    let Some(listener) = given.take_unix_listener(at).with_context(unfit)? else { return Ok(None) };
    if UnixStream::from(OwnedFd::from(listener.try_clone()?)).peer_addr().is_ok() {
        bail!(unfit());
    }
    listener.set_nonblocking(true).with_context(unfit)?;
    Ok(Some(UnixListener::from_std(listener).with_context(unfit)?.into()))
}

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

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told of the state at $NOTIFY_SOCKET");
    }
}
