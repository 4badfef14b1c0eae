//! A site: where its files come from, and its versions.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{oneshot, watch};
use viral_wire::PieceId;

use self::options::check_headers;
use super::{
    Asset, PieceLocation, SiteError, Version,
    asset::Making,
    caching,
    inventory::{self, Inventory, Unreadable},
    store::Store,
    version::Fixed,
    watch::{Changes, Reread, keep_up},
};

mod options;
pub(super) mod versions;

pub use self::options::{Addition, EmbeddedFile, SiteOptions, Source};
pub(super) use self::versions::Versions;

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
        let base: Arc<str> = options.base.into();
        let fixed = Fixed { base: Arc::clone(&base), spa: options.spa, headers: Arc::clone(&headers), addition: script };
        let making = Making { store, addition: markup, headers, immutable: options.immutable };
        let (versions, stop, reread) = match source {
            Source::Embedded(files) => {
                let assets = blocking(move || inventory::embedded(&making, &base, files)).await??;
                (Arc::new(Versions::new(assets, fixed)), None, None)
            }
            Source::Directory(dir) => {
                // Watched before it is read, so that no change falls between.
                let (watched, shown) = (dir.clone(), dir.clone());
                let changes = blocking(move || Changes::of(&watched)).await?;
                let mut inventory = Inventory::new(dir, Arc::clone(&base), options.entries_max, making, Arc::clone(&cancelled));
                let (assets, inventory) =
                    blocking(move || inventory.read(&BTreeSet::new(), Unreadable::Kept).map(|assets| (assets, inventory))).await??;
                if !assets.contains_key(&format!("{base}index.html")) {
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
