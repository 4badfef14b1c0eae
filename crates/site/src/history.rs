//! What is remembered of each path from one reading of the directory to the next: which date may be told of its content.
//!
//! A date is told to say "this is what you have". Time stamps of files do not: packed releases all carry the same one, and a release that is taken
//! back carries an older one.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use viral_wire::Digest;

use super::limits::DATE_MIN_S;

/// What was seen at each path, also at those that are gone.
#[derive(Debug)]
pub(super) struct History {
    seen: BTreeMap<String, Seen>,
    paths_max: usize,
}

#[derive(Debug, Clone)]
struct Seen {
    digest: Digest,
    date: Option<SystemTime>,
    /// The latest date that was ever told of this path, in seconds.
    latest_s: u64,
    changed: bool,
}

/// What may be said of the content of a path.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// When it was last changed, in whole seconds; none if that is not known.
    pub(super) date: Option<SystemTime>,
    /// Whether the path was seen with other content.
    pub(super) changed: bool,
}

impl History {
    /// Nothing seen. At most `paths_max` paths are remembered.
    pub(super) fn new(paths_max: usize) -> Self {
        Self { seen: BTreeMap::new(), paths_max }
    }

    /// Takes in what is at a path, read at `now`. The date of other content than before must be later than all told before it; the same content
    /// keeps the date that it has, however often it is written again.
    pub(super) fn note(&mut self, relative: &str, digest: Digest, modified: Option<SystemTime>, now: SystemTime) -> Told {
        let date_s = modified.and_then(|modified| believable_s(modified, now));
        if let Some(seen) = self.seen.get_mut(relative) {
            let is_other = seen.digest != digest;
            if is_other || seen.date.is_none() {
                let later_s = date_s.filter(|date| *date > seen.latest_s);
                let changed = seen.changed || is_other;
                *seen = Seen { digest, date: later_s.map(time_of), latest_s: later_s.unwrap_or(seen.latest_s), changed };
            }
            return Told { date: seen.date, changed: seen.changed };
        }
        let date = date_s.map(time_of);
        if self.seen.len() < self.paths_max {
            self.seen.insert(relative.to_owned(), Seen { digest, date, latest_s: date_s.unwrap_or(0), changed: false });
        }
        Told { date, changed: false }
    }

    /// Forgets what is no longer there once half of the room is taken, so that new paths find some.
    pub(super) fn tidy(&mut self, is_there: impl Fn(&str) -> bool) {
        if self.seen.len() > self.paths_max / 2 {
            self.seen.retain(|relative, _| is_there(relative));
        }
    }
}

/// Whole seconds of a time stamp that can be a date: neither a stand-in for none nor in the future (RFC 9110 section 8.8.2.1).
fn believable_s(modified: SystemTime, now: SystemTime) -> Option<u64> {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    since(modified).filter(|seconds| *seconds >= DATE_MIN_S && since(now).is_some_and(|now| *seconds <= now))
}

fn time_of(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Digest = Digest([1; 32]);
    const NEW: Digest = Digest([2; 32]);

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(time_of(1_700_000_000 + seconds))
    }

    fn note(history: &mut History, digest: Digest, modified: Option<SystemTime>) -> Told {
        history.note("a", digest, modified, time_of(1_800_000_000))
    }

    #[test]
    fn stamps_that_mean_nothing_are_no_dates() {
        for (modified, now) in [
            (UNIX_EPOCH - Duration::from_secs(1), 10),
            (UNIX_EPOCH, 10),
            (time_of(1), 10),
            (time_of(315_532_800), 1_700_000_000),
            (time_of(DATE_MIN_S - 1), 1_700_000_000),
            (time_of(1_700_000_001), 1_700_000_000),
            (time_of(1 << 40), 1_700_000_000),
        ] {
            let told = History::new(1).note("a", OLD, Some(modified), time_of(now));
            assert_eq!(told.date, None, "{modified:?}");
        }
        assert_eq!(History::new(1).note("a", OLD, Some(time_of(DATE_MIN_S)), time_of(DATE_MIN_S)).date, Some(time_of(DATE_MIN_S)));
    }

    #[test]
    fn other_content_under_the_same_or_an_older_date_has_none() {
        let mut history = History::new(9);
        assert_eq!(note(&mut history, OLD, at(5)), Told { date: at(5), changed: false });
        assert_eq!(note(&mut history, NEW, at(5)), Told { date: None, changed: true });
        assert_eq!(note(&mut history, NEW, at(4)), Told { date: None, changed: true });
        assert_eq!(note(&mut history, NEW, at(6)), Told { date: at(6), changed: true }, "later than all that was told of other content");
        assert_eq!(note(&mut history, OLD, at(7)), Told { date: at(7), changed: true });
        assert_eq!(note(&mut history, NEW, at(6)), Told { date: None, changed: true }, "a release taken back");
        assert_eq!(note(&mut history, OLD, at(7)).date, None);
    }

    #[test]
    fn the_same_content_keeps_its_date() {
        let mut history = History::new(9);
        note(&mut history, OLD, at(5));
        assert_eq!(note(&mut history, OLD, at(9)), Told { date: at(5), changed: false });
        history.tidy(|_| false);
        assert_eq!(note(&mut history, NEW, at(1)).date, None, "a path that was gone is remembered while there is room");
    }

    #[test]
    fn no_more_paths_are_remembered_than_may_be() {
        let mut history = History::new(2);
        for path in ["a", "b", "c"] {
            history.note(path, OLD, at(1), time_of(1_800_000_000));
        }
        assert_eq!(history.seen.len(), 2);
        history.tidy(|path| path == "b");
        assert_eq!(history.seen.len(), 1);
    }
}
