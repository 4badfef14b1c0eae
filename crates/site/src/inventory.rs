//! Reading a source into assets, reusing what did not change since the last reading.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime},
};

use super::{
    Asset, EmbeddedFile, Object, RuleFault, SiteError,
    asset::{BuildContext, Headers},
    compress::Coding,
    contents::{Assets, Contents},
    entry::{Entry, settle, stands_alone},
    history::{History, Told},
    limits::{PROGRESS, READ_ATTEMPTS_MAX, READ_RETRY},
    object::TakeError,
    path,
    rules::{HEADERS_FILE, REDIRECTS_FILE, RuleFiles, Rules},
    scan::{self, Found, Scanned, Stamp, Warned},
};

/// A directory and what was read of it last.
#[derive(Debug)]
pub(super) struct Inventory {
    /// What relative paths begin with.
    base: Arc<str>,
    dir: PathBuf,
    entries_max: usize,
    context: BuildContext,
    known: BTreeMap<String, Known>,
    history: History,
    rules: RuleFiles,
    warned: Warned,
    cancelled: Arc<AtomicBool>,
}

/// What becomes of a file or directory that is there and cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is served as it was before.
    Kept,
    /// It is served no longer.
    Withdrawn,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    looked_at: SystemTime,
    entry: Entry,
}

impl Inventory {
    /// An inventory of `dir`, in which nothing is known yet. Setting `cancelled` ends a reading early.
    pub(super) fn new(dir: PathBuf, base: Arc<str>, entries_max: usize, context: BuildContext, cancelled: Arc<AtomicBool>) -> Self {
        let history = History::new(entries_max);
        Self {
            dir,
            base,
            entries_max,
            context,
            known: BTreeMap::new(),
            history,
            rules: RuleFiles::default(),
            warned: Warned::default(),
            cancelled,
        }
    }

    /// Reads the directory. What is in `held`, by real path, keeps the content it had, if any. Blocks.
    ///
    /// # Errors
    /// When the directory cannot be listed or holds too much, the object store cannot be written, or the system is out of descriptors; and when a file of rules cannot be followed and never could. A single file
    /// or directory that cannot be read is no error: what becomes of it `unreadable` says, and if it is new it is left out; with a warning.
    pub(super) fn read(&mut self, held: &BTreeSet<PathBuf>, unreadable: Unreadable) -> Result<Contents, SiteError> {
        let scanned = scan::scan(&self.dir, &self.base, self.entries_max, &mut self.warned);
        if unreadable == Unreadable::Withdrawn && scanned.as_ref().is_err_and(SiteError::says_what_is_there) {
            self.known.clear();
        }
        let Scanned { mut found, denied } = scanned?;
        let rules = self.read_rules(&mut found, held)?;
        let is_held = |found: &Found| held.contains(&found.real) && (unreadable == Unreadable::Kept || File::open(&found.real).is_ok());
        let mut progress = Progress::new(found.len());
        let mut known = std::mem::take(&mut self.known);
        let exists = |relative: &str| found.binary_search_by(|found| found.relative.as_str().cmp(relative)).is_ok();
        for found in &found {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(SiteError::Interrupted);
            }
            let before = known.remove(&found.relative);
            let alone = stands_alone(&found.relative, exists);
            let entry = match if is_held(found) { Ok(before) } else { self.entry(found, alone, before, unreadable) } {
                Ok(entry) => entry,
                Err(error) => {
                    // The next reading goes on from what is known.
                    self.known.append(&mut known);
                    return Err(error);
                }
            };
            if let Some(entry) = entry {
                progress.add(&entry.entry.asset);
                self.known.insert(found.relative.clone(), entry);
            }
        }
        let is_denied = |relative: &str| unreadable == Unreadable::Kept && denied.iter().any(|prefix| relative.starts_with(prefix));
        self.known.extend(known.into_iter().filter(|(relative, _)| is_denied(relative)));
        let mut entries = self.known.iter_mut().map(|(relative, known)| (relative.as_str(), &mut known.entry)).collect();
        settle(&mut entries, &self.context.immutable);
        set_headers(&mut entries, &rules, &self.context.headers).map_err(SiteError::Rules)?;
        let assets: Assets = entries.into_iter().map(|(relative, entry)| (relative.to_owned(), Arc::clone(&entry.asset))).collect();
        self.history.tidy(|relative| assets.contains_key(relative));
        self.context.objects.tidy();
        Ok(Contents::new(assets, rules))
    }

    /// The rules of the files of rules, which are taken out of what was found: they are served to nobody.
    fn read_rules(&mut self, found: &mut Vec<Found>, held: &BTreeSet<PathBuf>) -> Result<Arc<Rules>, SiteError> {
        let is_rules = |found: &Found| [HEADERS_FILE, REDIRECTS_FILE].iter().any(|name| found.relative == format!("{}{name}", self.base));
        let files: BTreeMap<String, PathBuf> =
            found.extract_if(.., |found| is_rules(found)).map(|found| (found.relative, found.real)).collect();
        // Somebody is writing them.
        if let Some(last) = self.rules.last().filter(|_| files.values().any(|real| held.contains(real))) {
            return Ok(last);
        }
        let base = Arc::clone(&self.base);
        let opened = |name: &'static str| match files.get(&format!("{base}{name}")) {
            Some(real) => open(real).map(|opened| opened.map(|(file, _)| file)),
            None => Ok(None),
        };
        self.rules.read(opened).map_err(SiteError::Rules)
    }

    /// The asset of one file: the one from before if the file did not change or is `Kept` although it cannot be read, else as read now. `None` if there is none.
    fn entry(
        &mut self,
        found: &Found,
        alone: Option<Coding>,
        before: Option<Known>,
        unreadable: Unreadable,
    ) -> Result<Option<Known>, SiteError> {
        let looked_at = SystemTime::now();
        if let (Some(known), Ok(metadata)) = (&before, fs::metadata(&found.real))
            && known.stamp == Stamp::of(&metadata)
            && !known.stamp.is_doubtful(known.looked_at)
            && known.entry.unpacked == alone
        {
            return Ok(before);
        }
        match self.read_file(&found.real) {
            Ok(Some((raw, stamp))) => {
                let tell = |digest| self.history.note(&found.relative, digest, stamp.modified, looked_at);
                let made = Entry::make(&self.context, (&found.relative, Some(&found.real)), raw, alone, tell);
                let entry = made.map_err(|source| self.store_fault(source))?;
                Ok(Some(Known { stamp, looked_at, entry }))
            }
            Ok(None) => Ok(None),
            // Without what does not fit into the store the site would be half a site.
            Err(TakeError::Store(error)) => Err(self.store_fault(error)),
            Err(TakeError::File(error)) if scan::is_exhausted(&error) => Err(SiteError::Exhausted { path: found.real.clone(), error }),
            Err(TakeError::File(error)) => {
                let kept = before.filter(|_| unreadable == Unreadable::Kept);
                let reason = if kept.is_some() { "it cannot be read, its last content stays until SIGHUP" } else { "it cannot be read" };
                self.warned.warn(&found.real, &format!("{reason}: {error}"));
                Ok(kept)
            }
        }
    }

    /// The content of a file at one moment: read again when it changed meanwhile. `None` if it vanished.
    fn read_file(&self, real: &Path) -> Result<Option<(Arc<Object>, Stamp)>, TakeError> {
        let mut attempt = 1;
        loop {
            let Some((file, before)) = open(real).map_err(TakeError::File)? else { return Ok(None) };
            let object = Object::from_file(&self.context.objects, &file, before.len)?;
            let after = fs::metadata(real).map(|metadata| Stamp::of(&metadata));
            if object.len() == before.len && after.is_ok_and(|after| after == before) {
                return Ok(Some((object, before)));
            }
            if attempt == READ_ATTEMPTS_MAX {
                tracing::warn!(path = %real.display(), "file changes faster than it can be read; served as it was read last");
                return Ok(Some((object, before)));
            }
            attempt += 1;
            std::thread::sleep(READ_RETRY);
        }
    }

    fn store_fault(&self, source: io::Error) -> SiteError {
        SiteError::Store { path: self.context.objects.path().to_owned(), error: source }
    }
}

/// The assets of embedded files. Blocks while they are hashed.
///
/// # Errors
/// When a path is none that a URL can name.
pub(super) fn embedded(
    context: &BuildContext,
    base: &str,
    files: Vec<EmbeddedFile>,
    mut tell: impl FnMut(&str, viral_wire::Digest) -> Told,
) -> Result<Assets, SiteError> {
    let fault = |source| SiteError::Store { path: context.objects.path().to_owned(), error: source };
    let names: BTreeSet<String> = files.iter().map(|file| format!("{base}{}", file.path)).collect();
    let mut entries = BTreeMap::new();
    for EmbeddedFile { path, body } in files {
        let relative = format!("{base}{path}");
        if path::decode(&path::encode(&relative)).as_ref() != Some(&relative) || path.is_empty() || path.ends_with('/') {
            return Err(SiteError::EmbeddedPath { path });
        }
        let raw = Object::from_bytes(&context.objects, body).map_err(fault)?;
        let alone = stands_alone(&relative, |plain| names.contains(plain));
        let entry = Entry::make(context, (&relative, None), raw, alone, |digest| tell(&relative, digest)).map_err(fault)?;
        entries.insert(relative, entry);
    }
    settle(&mut entries.iter_mut().map(|(relative, entry)| (relative.as_str(), entry)).collect(), &context.immutable);
    Ok(entries.into_iter().map(|(relative, entry)| (relative, entry.asset)).collect())
}

/// Gives each asset the headers that the rules say, beside those of every answer.
///
/// # Errors
/// When one has more than its record holds.
fn set_headers(entries: &mut BTreeMap<&str, &mut Entry>, rules: &Rules, given: &Arc<Headers>) -> Result<(), RuleFault> {
    let mut last = Arc::clone(given);
    for (relative, entry) in entries.iter_mut() {
        let wanted = match rules.headers_of(relative, given)? {
            None => Arc::clone(given),
            // Neighbours have mostly the same.
            Some(headers) if *last == headers => Arc::clone(&last),
            Some(headers) => Arc::new(headers),
        };
        let had = entry.asset.given_headers();
        if !Arc::ptr_eq(had, &wanted) && **had != *wanted {
            entry.asset = Arc::new(entry.asset.with_headers(Arc::clone(&wanted)));
        }
        last = wanted;
    }
    Ok(())
}

/// Opens a file whose real path was checked, and makes sure that no symbolic link took its place meanwhile.
fn open(real: &Path) -> io::Result<Option<(File, Stamp)>> {
    let opened = File::open(real).and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Ok((metadata, file)) if metadata.is_file() && fs::canonicalize(real).is_ok_and(|now| now == real) => {
            Ok(Some((file, Stamp::of(&metadata))))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A line in the log every second of a long reading.
struct Progress {
    assets: usize,
    done: usize,
    bytes: u64,
    last: Instant,
}

impl Progress {
    fn new(assets: usize) -> Self {
        Self { assets, done: 0, bytes: 0, last: Instant::now() }
    }

    fn add(&mut self, asset: &Asset) {
        self.done += 1;
        self.bytes += asset.len();
        if self.last.elapsed() >= PROGRESS {
            self.last = Instant::now();
            tracing::info!(done = self.done, assets = self.assets, bytes = self.bytes, "reading the directory");
        }
    }
}
