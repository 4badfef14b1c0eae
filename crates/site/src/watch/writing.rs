//! Which files somebody is writing at this moment: changed, and not closed since. Read now they would be half old and half new.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Metadata,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
};
use tokio::time::Instant;

use crate::limits::{WRITER_WAIT_MAX, WRITERS_MAX, WRITING_MAX};

/// The one system whose watches tell when a file that was written is closed. Elsewhere nothing is known of writers.
const TELLS_CLOSING: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Files being written, by real path.
#[derive(Debug, Default)]
pub(super) struct Writing(BTreeMap<PathBuf, Writer>);

#[derive(Debug, Clone, Copy)]
struct Writer {
    first: Instant,
    last: Instant,
}

impl Writer {
    /// Whether its file is left as it was: it still writes, and not for ever.
    fn is_at_work(&self, now: Instant) -> bool {
        let since = |then: Instant| now.saturating_duration_since(then);
        since(self.last) < WRITER_WAIT_MAX && since(self.first) < WRITING_MAX
    }
}

/// What is at a path, without following links; `None` for nothing.
pub(super) type Look<'l> = &'l dyn Fn(&Path) -> Option<Metadata>;

impl Writing {
    /// Takes in one notice of the watch on `root`.
    pub(super) fn note(&mut self, event: &Event, root: &Path, now: Instant, look: Look<'_>) {
        if !TELLS_CLOSING {
            return;
        }
        if event.need_rescan() {
            // Closings may be among the notices that were lost.
            self.0.clear();
        }
        let first = event.paths.first().filter(|path| !is_hidden(path, root));
        let Some(path) = first else { return };
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => self.began(path, now, |_| true, look),
            // Somebody who makes a file opens it for writing; links are made whole.
            EventKind::Create(CreateKind::File) => self.began(path, now, |made| made.len() == 0 && has_one_name(made), look),
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                self.0.remove(path);
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => self.moved(path, event.paths.get(1)),
            EventKind::Remove(_) => self.0.retain(|written, _| !written.starts_with(path)),
            EventKind::Any | EventKind::Access(_) | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {}
        }
    }

    /// How long to wait for writers to finish; `None` when there is nobody to wait for.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let waits = self.0.values().filter(|writer| writer.is_at_work(now));
        waits.filter_map(|writer| (writer.first + WRITER_WAIT_MAX).checked_duration_since(now)).filter(|wait| !wait.is_zero()).max()
    }

    /// The files to leave as they were.
    pub(super) fn held(&self, now: Instant) -> BTreeSet<PathBuf> {
        self.0.iter().filter(|(_, writer)| writer.is_at_work(now)).map(|(path, _)| path.clone()).collect()
    }

    fn began(&mut self, path: &Path, now: Instant, counts: impl Fn(&Metadata) -> bool, look: Look<'_>) {
        if let Some(writer) = self.0.get_mut(path) {
            writer.last = now;
            return;
        }
        if self.0.len() >= WRITERS_MAX {
            self.0.retain(|_, writer| writer.is_at_work(now));
        }
        if self.0.len() < WRITERS_MAX && look(path).is_some_and(|found| found.is_file() && counts(&found)) {
            self.0.insert(path.to_owned(), Writer { first: now, last: now });
        }
    }

    /// A file that is renamed while it is written goes on being written under its new name.
    fn moved(&mut self, from: &Path, to: Option<&PathBuf>) {
        let gone: Vec<PathBuf> = self.0.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in gone {
            let writer = self.0.remove(&path);
            if let (Some(writer), Some(to), Ok(below)) = (writer, to, path.strip_prefix(from)) {
                let new = if below.as_os_str().is_empty() { to.clone() } else { to.join(below) };
                self.0.insert(new, writer);
            }
        }
    }
}

/// Hidden files are not served, except below `.well-known`.
fn is_hidden(path: &Path, root: &Path) -> bool {
    let below = path.strip_prefix(root).unwrap_or(path);
    below
        .components()
        .any(|part| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b".") && name != ".well-known"))
}

fn has_one_name(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.nlink() == 1
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        true
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RemoveKind};

    use super::*;

    const CHANGED: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    struct World {
        writing: Writing,
        start: Instant,
        file: tempfile::NamedTempFile,
    }

    impl World {
        fn new() -> Self {
            Self { writing: Writing::default(), start: Instant::now(), file: tempfile::NamedTempFile::new().unwrap() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// Every path leads to an empty file.
        fn note(&mut self, seconds: u64, kind: EventKind, paths: &[&str]) {
            let event = paths.iter().fold(Event::new(kind), |event, path| event.add_path(path.into()));
            let metadata = || self.file.as_file().metadata().ok();
            self.writing.note(&event, Path::new("/site"), self.start + Duration::from_secs(seconds), &|_| metadata());
        }

        fn held(&self, seconds: u64) -> Vec<String> {
            let now = self.at(seconds);
            self.writing.held(now).iter().map(|path| path.display().to_string()).collect()
        }
    }

    #[test]
    fn a_file_is_held_from_its_first_change_until_it_is_closed() {
        let mut world = World::new();
        world.note(0, CHANGED, &["/site/a.js"]);
        world.note(20, CHANGED, &["/site/a.js"]);
        assert_eq!(world.held(21), ["/site/a.js"]);
        assert_eq!(world.writing.wait(world.at(21)), Some(Duration::from_secs(9)), "counted from the first change");
        world.note(22, CLOSED, &["/site/a.js"]);
        assert!(world.held(22).is_empty() && world.writing.wait(world.at(22)).is_none());
    }

    #[test]
    fn a_file_just_made_is_held_and_a_hidden_one_is_not() {
        let mut world = World::new();
        world.note(0, EventKind::Create(CreateKind::File), &["/site/new.js"]);
        world.note(0, CHANGED, &["/site/.git/index"]);
        world.note(0, CHANGED, &["/site/.well-known/x"]);
        assert_eq!(world.held(1), ["/site/.well-known/x", "/site/new.js"]);
    }

    #[test]
    fn a_writer_that_is_silent_or_never_ends_holds_its_file_no_longer() {
        let mut world = World::new();
        let wait_s = WRITER_WAIT_MAX.as_secs();
        world.note(0, CHANGED, &["/site/silent"]);
        assert_eq!(world.held(wait_s - 1).len(), 1);
        assert!(world.held(wait_s).is_empty());
        let max_s = WRITING_MAX.as_secs();
        for second in (0..=max_s).step_by(10) {
            world.note(second, CHANGED, &["/site/log.txt"]);
        }
        assert!(world.writing.wait(world.at(max_s - 1)).is_none(), "nobody waits that long");
        assert_eq!(world.held(max_s - 1), ["/site/log.txt"]);
        assert!(world.held(max_s).is_empty());
    }

    #[test]
    fn names_follow_moves_and_go_with_what_is_removed() {
        let mut world = World::new();
        world.note(0, CHANGED, &["/site/next/a"]);
        world.note(0, CHANGED, &["/site/old/b"]);
        world.note(0, EventKind::Modify(ModifyKind::Name(RenameMode::Both)), &["/site/next", "/site/live"]);
        world.note(0, EventKind::Remove(RemoveKind::Folder), &["/site/old"]);
        assert_eq!(world.held(1), ["/site/live/a"]);
        world.note(1, CLOSED, &["/site/live/a"]);
        assert!(world.held(1).is_empty());
    }

    #[test]
    fn at_the_limit_no_more_files_are_remembered() {
        let mut world = World::new();
        for number in 0..=WRITERS_MAX {
            world.note(0, CHANGED, &[&format!("/site/{number}")]);
        }
        assert_eq!(world.held(0).len(), WRITERS_MAX);
    }
}
