//! Keeping up with the directory: new versions while serving, and the old one as long as there is no new one.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    SiteError,
    contents::Contents,
    inventory::{Inventory, Unreadable},
    limits::{NOTICE_DELAY, POLL, POLL_REST, QUIET_MAX, ROOT_CHECK, WRITER_WAIT_MAX},
    versions::Versions,
};

#[cfg(feature = "watch")]
mod changes;
#[cfg(feature = "watch")]
mod tree;
#[cfg(not(feature = "watch"))]
mod unwatched;
#[cfg(feature = "watch")]
mod writing;

#[cfg(feature = "watch")]
pub(super) use changes::{Changes, Reread};
#[cfg(not(feature = "watch"))]
pub(super) use unwatched::{Changes, Reread};

/// Why the directory is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Something in it changed, or it is time to look. What cannot be read stays as it was.
    News,
    /// Somebody asked what is there now: whatever is not, or cannot be read, is withdrawn.
    Asked,
}

/// Publishes a new version after each change, until `stopped`. What cannot be read leaves the last version in place, unless somebody asked for what is there now.
pub(super) async fn keep_up(mut inventory: Inventory, mut changes: Changes, versions: Arc<Versions>, mut stopped: oneshot::Receiver<()>) {
    let mut root_check = interval(ROOT_CHECK);
    root_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last_read, mut took) = (Instant::now(), Duration::ZERO);
    let (mut complained, mut failed) = (false, false);
    // Stays so until a reading that began after the question has an answer.
    let mut why = Why::News;
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return,
            () = changes.asked() => why = Why::Asked,
            _ = root_check.tick() => {
                versions.expire(Instant::now());
                let (moved, checked) = check_root(changes).await;
                let Some(checked) = checked else { return };
                changes = checked;
                // What could not be read may be readable soon.
                let poll = if failed { Some(POLL) } else { changes.poll() };
                let due = poll.is_some_and(|poll| last_read.elapsed() >= poll.max(took * POLL_REST));
                if !moved && !due {
                    continue;
                }
            }
            // Last, for it may never rest.
            () = changes.news() => tokio::select! {
                _ = &mut stopped => return,
                () = changes.asked() => why = Why::Asked,
                () = changes.settle() => {}
            },
        }
        let began = Instant::now();
        let (returned, result) = match why {
            Why::News => match read_settled(inventory, &changes).await {
                Some(read) => read,
                None => return,
            },
            Why::Asked => match read_once(inventory, changes.held(), why).await {
                Some((inventory, result)) => (inventory, Some(result)),
                None => return,
            },
        };
        inventory = returned;
        let Some(result) = result else { continue };
        last_read = Instant::now();
        took = last_read - began;
        failed = result.is_err();
        match carry_out(result, why, &versions, last_read) {
            Done::Published => (complained, why) = (false, Why::News),
            Done::Stopped => return,
            Done::Kept(fault) if !complained => {
                complained = true;
                tracing::warn!(path = %changes.dir().display(), %fault, "the last version stays");
            }
            Done::Kept(_) => {}
        }
    }
}

/// What came of a reading.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Published,
    /// The last version stays, for this reason.
    Kept(String),
    Stopped,
}

/// Publishes what was read, if it is to be believed.
fn carry_out(result: Result<Contents, SiteError>, why: Why, versions: &Versions, now: Instant) -> Done {
    let contents = match (result, why) {
        (Err(SiteError::Interrupted), _) => return Done::Stopped,
        (Err(error), Why::Asked) if error.says_what_is_there() => {
            tracing::warn!(%error, "the site is withdrawn until its directory can be read");
            Contents::default()
        }
        (Err(error), _) => return Done::Kept(error.to_string()),
        (Ok(contents), Why::News) if contents.is_empty() && !versions.current().is_empty() => {
            return Done::Kept("the directory is empty; SIGHUP withdraws what was in it".to_owned());
        }
        (Ok(contents), _) => contents,
    };
    versions.publish(now, contents);
    if why == Why::Asked {
        versions.forget_older();
    }
    Done::Published
}

/// Looks up the root where that may block.
async fn check_root(mut changes: Changes) -> (bool, Option<Changes>) {
    match tokio::task::spawn_blocking(move || (changes.follow_root(), changes)).await {
        Ok((moved, changes)) => (moved, Some(changes)),
        Err(_) => (false, None),
    }
}

type Read<R> = (Inventory, R);

/// Reads until nothing changed during the reading, so that a deploy in progress is not published half, within `QUIET_MAX`; and until no file was
/// begun to be written during it, within `WRITER_WAIT_MAX`. Files that somebody is still writing keep their last content. Without result when somebody
/// asks what is there now before that.
async fn read_settled(mut inventory: Inventory, changes: &Changes) -> Option<Read<Option<Result<Contents, SiteError>>>> {
    let began = Instant::now();
    loop {
        let held = changes.held();
        let (returned, result) = read_once(inventory, held.clone(), Why::News).await?;
        tokio::time::sleep(NOTICE_DELAY).await;
        let took = began.elapsed();
        let is_whole = took >= WRITER_WAIT_MAX || changes.held().is_subset(&held);
        if result.is_err() || is_whole && (took >= QUIET_MAX || !changes.changed_meanwhile().await) {
            return Some((returned, Some(result)));
        }
        inventory = returned;
        tokio::select! {
            () = changes.settle() => {}
            () = changes.asked() => {
                changes.reread().ask();
                return Some((inventory, None));
            }
        }
    }
}

async fn read_once(mut inventory: Inventory, held: BTreeSet<PathBuf>, why: Why) -> Option<Read<Result<Contents, SiteError>>> {
    let reading = tokio::task::spawn_blocking(move || {
        let unreadable = if why == Why::Asked { Unreadable::Withdrawn } else { Unreadable::Kept };
        let result = inventory.read(&held, unreadable);
        (inventory, result)
    });
    reading.await.ok()
}

#[cfg(test)]
mod tests;
