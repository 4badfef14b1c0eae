//! A site: where its files come from, and its versions.

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use viral_wire::{
    PieceId,
    limits::{HEADER_LEN_MAX, RECORD_HEADERS_MAX},
};

use super::{
    Asset, PieceLocation, SiteError, Version,
    asset::{Headers, Making},
    caching,
    inventory::{self, Inventory, Unreadable},
    limits::{ENTRIES_MAX, MEMORY_LEN_MAX, VERSION_KEPT_FOR, VERSIONS_KEPT},
    store::Store,
    version::{Assets, Fixed},
    watch::{Changes, Reread, keep_up},
};

/// Where the files of a site come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A directory on disk, watched for changes.
    Directory(PathBuf),
    /// Files compiled into or made by the program; they never change.
    Embedded(Vec<EmbeddedFile>),
}

/// One file that does not come from disk.
#[derive(Debug, Clone)]
pub struct EmbeddedFile {
    /// Relative path with `/` between segments, not percent-encoded: `assets/app.js`.
    pub path: String,
    /// The content.
    pub body: Bytes,
}

/// What is put into every HTML document.
#[derive(Debug, Clone)]
pub struct Addition {
    /// Markup for its end: a script tag.
    pub markup: String,
    /// The script that this asks for. It travels with every document, though it is no file of the site.
    pub script: EmbeddedFile,
}

/// How a site is served. `SiteOptions::default()` is a plain static site with nothing added.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Answer navigations to unknown paths without an extension with `/index.html` and status 200.
    pub spa: bool,
    /// Headers on every answer, and in every asset record.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Paths whose content never changes, so that browsers keep it for a year without asking: `/assets/*`, where `*` stands for any characters. Not of
    /// pages, and not of a path that was seen to change.
    pub immutable: Vec<String>,
    /// Where copies of large assets are kept while running, read by this user alone. If none, what systemd made for the program, else the user's cache
    /// directory, else the system's temporary one.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of assets and their coded forms held in memory, together.
    pub memory_len_max: u64,
    /// Files and directories below the directory, together.
    pub entries_max: usize,
    /// What is put at the end of every HTML document: the viral addition.
    pub html_addition: Option<Addition>,
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            spa: false,
            headers: Vec::new(),
            immutable: Vec::new(),
            cache_dir: None,
            memory_len_max: MEMORY_LEN_MAX,
            entries_max: ENTRIES_MAX,
            html_addition: None,
        }
    }
}

/// Everything about one directory or embedded list. Dropping it ends the watching.
#[derive(Debug)]
pub struct Site {
    versions: Arc<Versions>,
    cancelled: Arc<AtomicBool>,
    reread: Option<Reread>,
    /// Dropped with the site, which the watching task notices.
    _stop: Option<oneshot::Sender<()>>,
}

impl Site {
    /// Reads `source` and begins to watch it. Returns once the first version can be served. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SiteError`] when the source cannot be read, is too large, or the options contradict themselves.
    pub async fn open(source: Source, options: SiteOptions) -> Result<Arc<Self>, SiteError> {
        check_headers(&options.headers)?;
        let headers = Arc::new(options.headers);
        let cancelled = Arc::new(AtomicBool::new(false));
        let guard = Cancel(Arc::clone(&cancelled));
        let (cache_dir, memory_len_max, addition) = (options.cache_dir, options.memory_len_max, options.html_addition);
        let store = blocking(move || Store::open(cache_dir.as_deref(), memory_len_max)).await??;
        let (markup, script) = addition.map(|addition| (Arc::from(addition.markup), addition.script)).unzip();
        let script = script.map(|script| inventory::addition(&store, script)).transpose()?;
        let fixed = Fixed { spa: options.spa, headers: Arc::clone(&headers), addition: script };
        let making = Making { store, addition: markup, headers, immutable: options.immutable };
        let (versions, stop, reread) = match source {
            Source::Embedded(files) => {
                let assets = blocking(move || inventory::embedded(&making, files)).await??;
                (Arc::new(Versions::new(assets, fixed)), None, None)
            }
            Source::Directory(dir) => {
                // Watched before it is read, so that no change falls between.
                let (watched, shown) = (dir.clone(), dir.clone());
                let changes = blocking(move || Changes::of(&watched)).await?;
                let mut inventory = Inventory::new(dir, options.entries_max, making, Arc::clone(&cancelled));
                let (assets, inventory) =
                    blocking(move || inventory.read(&BTreeSet::new(), Unreadable::Kept).map(|assets| (assets, inventory))).await??;
                if !assets.contains_key("index.html") {
                    tracing::warn!(path = %shown.display(), "there is no index.html: visitors of / find nothing");
                }
                let versions = Arc::new(Versions::new(assets, fixed));
                let (stop, stopped) = oneshot::channel();
                let reread = changes.reread();
                tokio::spawn(keep_up(inventory, changes, Arc::clone(&versions), stopped));
                (versions, Some(stop), Some(reread))
            }
        };
        guard.disarm();
        Ok(Arc::new(Self { versions, cancelled, reread, _stop: stop }))
    }

    /// Reads the directory now, whatever the system tells of it, and forgets all versions but the one that comes of it: what was removed, emptied or made unreadable is gone at
    /// once, for visits that began before as well. Only a file that somebody is writing keeps its last content until it is whole. Embedded files stay as they are.
    pub fn reread(&self) {
        if let Some(reread) = &self.reread {
            reread.ask();
        }
    }

    /// The version new visitors get. Take it once per request, so that one answer never mixes versions.
    pub fn current(&self) -> Arc<Version> {
        self.versions.current()
    }

    /// A version by its number, while it is among the last [`VERSIONS_KEPT`], and the current one or not long replaced.
    pub fn version(&self, number: u64) -> Option<Arc<Version>> {
        self.versions.kept.load().iter().find(|version| version.number() == number).cloned()
    }

    /// A version by its [`tag`](Version::tag), while [`Self::version`] has it.
    pub fn version_tagged(&self, tag: &str) -> Option<Arc<Version>> {
        self.versions.kept.load().iter().find(|version| version.tag() == tag).cloned()
    }

    /// The asset at a path whose name tells its content, in the newest of the kept versions that has it: a page that came from another version may
    /// still ask for it, also where no cookie says which.
    pub fn kept_by_name(&self, path: &str) -> Option<(Arc<Version>, Arc<Asset>)> {
        let kept = self.versions.kept.load();
        let found = || kept.iter().find_map(|version| Some((Arc::clone(version), Arc::clone(version.asset(path)?))));
        caching::has_content_hash(path).then(found).flatten()
    }

    /// A piece of the current version, or of an older one that is still kept.
    pub fn piece(&self, id: &PieceId) -> Option<PieceLocation> {
        self.versions.kept.load().iter().find_map(|version| version.piece(id))
    }

    /// The number of the current version; changes when content changed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.versions.number.subscribe()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// The kept versions of a site, newest first; never empty.
#[derive(Debug)]
pub(super) struct Versions {
    kept: ArcSwap<Vec<Arc<Version>>>,
    number: watch::Sender<u64>,
    /// When kept versions were replaced, oldest first, by their number.
    replaced: Mutex<VecDeque<(u64, Instant)>>,
    fixed: Fixed,
}

impl Versions {
    fn new(assets: Assets, fixed: Fixed) -> Self {
        let first = Version::new(1, assets, fixed.clone());
        tracing::info!(version = 1, assets = first.assets().count(), bytes = first.bytes(), "site is ready");
        Self { kept: ArcSwap::from_pointee(vec![Arc::new(first)]), number: watch::Sender::new(1), replaced: Mutex::default(), fixed }
    }

    /// The newest version.
    pub(super) fn current(&self) -> Arc<Version> {
        Arc::clone(self.kept.load().first().expect("the first version is there from the start and the newest is never dropped"))
    }

    /// Forgets versions that were replaced too long ago.
    pub(super) fn expire(&self, now: Instant) {
        let mut replaced = self.replaced();
        let mut last_gone = None;
        while let Some((number, _)) = replaced.front().copied().filter(|(_, at)| now.duration_since(*at) >= VERSION_KEPT_FOR) {
            replaced.pop_front();
            last_gone = Some(number);
        }
        if let Some(last_gone) = last_gone {
            self.keep(|version| version.number() > last_gone);
        }
    }

    /// Forgets all versions but the newest.
    pub(super) fn forget_older(&self) {
        let current = self.current().number();
        self.replaced().clear();
        self.keep(|version| version.number() == current);
    }

    fn keep(&self, keeps: impl Fn(&Version) -> bool) {
        let kept = self.kept.load_full().iter().filter(|version| keeps(version)).cloned().collect();
        self.kept.store(Arc::new(kept));
    }

    fn replaced(&self) -> MutexGuard<'_, VecDeque<(u64, Instant)>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reading of the directory ended at `now`: makes `assets` the newest version, if anything in them differs from it.
    pub(super) fn publish(&self, now: Instant, assets: Assets) {
        let current = self.current();
        if current.same_content(&assets) {
            return;
        }
        let number = current.number() + 1;
        let next = Arc::new(Version::new(number, assets, self.fixed.clone()));
        tracing::info!(version = number, assets = next.assets().count(), bytes = next.bytes(), "new version");
        let older = self.kept.load_full();
        let kept = std::iter::once(next).chain(older.iter().take(VERSIONS_KEPT - 1).cloned()).collect();
        self.kept.store(Arc::new(kept));
        let mut replaced = self.replaced();
        replaced.push_back((current.number(), now));
        // Those that are kept no more for their number.
        while replaced.len() >= VERSIONS_KEPT {
            replaced.pop_front();
        }
        drop(replaced);
        self.number.send_replace(number);
    }
}

/// Ends the reading when the opening is given up before it is done.
struct Cancel(Arc<AtomicBool>);

impl Cancel {
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SiteError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SiteError::Interrupted)
}

/// Refuses headers that contradict what each answer says of itself, or that no record could carry: a policy that only full
/// visitors were under would be worse than none.
fn check_headers(headers: &Headers) -> Result<(), SiteError> {
    let reserved = [
        header::ACCEPT_RANGES,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::DATE,
        header::ETAG,
        header::LAST_MODIFIED,
        header::LOCATION,
        header::SET_COOKIE,
        header::TRANSFER_ENCODING,
        header::VARY,
    ];
    // Two places are taken by Cache-Control and X-Content-Type-Options.
    let max = RECORD_HEADERS_MAX - 2;
    if headers.len() > max {
        return Err(SiteError::TooManyHeaders { max });
    }
    for (name, value) in headers {
        let name_text = name.as_str().to_owned();
        if reserved.contains(name) {
            return Err(SiteError::ReservedHeader { name: name_text });
        }
        if name_text.len() > HEADER_LEN_MAX || value.len() > HEADER_LEN_MAX || value.to_str().is_err() {
            return Err(SiteError::BadHeader { name: name_text, max: HEADER_LEN_MAX });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Versions of a site of one file, and what makes the next.
    pub(in crate::files) fn versions() -> (Versions, impl Fn(&'static str) -> Assets) {
        let making =
            Making { store: Store::open(None, MEMORY_LEN_MAX).unwrap(), addition: None, headers: Arc::default(), immutable: Vec::new() };
        let assets = move |body: &'static str| {
            let file = EmbeddedFile { path: "a.txt".to_owned(), body: Bytes::from_static(body.as_bytes()) };
            inventory::embedded(&making, vec![file]).unwrap()
        };
        (Versions::new(assets("1"), Fixed { spa: false, headers: Arc::default(), addition: None }), assets)
    }

    pub(in crate::files) fn numbers(versions: &Versions) -> Vec<u64> {
        versions.kept.load().iter().map(|version| version.number()).collect()
    }

    #[test]
    fn a_version_is_gone_ten_minutes_after_it_was_replaced() {
        let (versions, assets) = versions();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        versions.publish(at(0), assets("2"));
        versions.publish(at(100), assets("3"));
        versions.expire(at(599));
        assert_eq!(numbers(&versions), [3, 2, 1]);
        versions.expire(at(600));
        assert_eq!(numbers(&versions), [3, 2]);
        versions.publish(at(650), assets("4"));
        versions.publish(at(660), assets("5"));
        assert_eq!(numbers(&versions), [5, 4, 3], "no more than so many, however young");
        versions.expire(at(1_259));
        assert_eq!(numbers(&versions), [5, 4]);
        versions.expire(at(1_000_000));
        assert_eq!(numbers(&versions), [5], "the current one stays");
    }
}
