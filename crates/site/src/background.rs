//! Work that nobody waits for: on a thread of its own that yields to everything else on the machine.

use std::{io, thread};

use tokio::sync::oneshot;

/// Niceness of such a thread: the most polite there is. Beside a busy thread it gets a seventieth of a core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

/// What `work` returns, which must be bounded by the caller: each call is one thread.
///
/// # Errors
/// No thread could be had, or `work` panicked.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    // Not of the runtime's pool: a thread that was made polite cannot be made normal again without privileges.
    thread::Builder::new().name("viral-background".into()).spawn(move || {
        yield_to_others();
        drop(sender.send(work()));
    })?;
    receiver.await.map_err(io::Error::other)
}

#[cfg(target_os = "linux")]
fn yield_to_others() {
    // Of this thread alone, on Linux. A system that forbids it runs the work at the usual priority.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "background work runs at the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn work_yields_and_the_caller_does_not() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let own = niceness();
        assert_eq!(run(niceness).await.unwrap(), NICENESS);
        assert_eq!(niceness(), own);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        run(|| panic!("on purpose")).await.unwrap_err();
    }
}
