//! The manifest of each page: its page set as the current version of the site has it, and the blobs of recent ones.

mod blobs;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::header;
use viral_swarm::admission;
use viral_swarm::page_costs::{Ring, SetFacts};
use viral_swarm::pageset::{PageSet, PageSetConfig, PageState, Reference, Report, Size};
use viral_wire::{Digest, Manifest, ManifestError, PERSONAL_PATH, Piece};

use blobs::Blobs;
use viral_site::{Asset, Version};

/// Visits until a page is known well enough that single ones matter little.
const YOUNG_VISITS_MAX: u64 = 16;

/// What stands for a directory in the path of its index.
const INDEX: &str = "index.html";

/// The path of a page: that of its document, where `index.html` is spelled as the directory. One page has one, however it is reached.
pub(crate) fn page_path(document: &Asset) -> &str {
    let path = document.path();
    path.strip_suffix(INDEX).filter(|directory| directory.ends_with('/')).unwrap_or(path)
}

/// The manifest that holds for a page now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageManifest {
    /// Its name.
    pub(crate) manifest: Digest,
    /// Bytes of its assets together.
    pub(crate) bytes: u64,
    /// Those of the app: without the viral addition.
    pub(crate) app_bytes: u64,
    /// How many of its assets, from the first, the page waits for.
    pub(crate) critical: u32,
    /// How much a visit uses, the document included.
    pub(crate) size: Size,
}

impl PageManifest {
    /// What the core is told of it; `path` is that of the page.
    pub(crate) fn facts(self, path: &str) -> admission::PageFacts<'_> {
        let Self { manifest, app_bytes, size, .. } = self;
        admission::PageFacts { path, manifest, app_bytes, size }
    }
}

/// A page got another manifest. The tracker has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Path of the page.
    pub(crate) page: String,
    /// Its manifest now.
    pub(crate) manifest: Digest,
    /// The distinct pieces of that manifest, in order of need.
    pub(crate) pieces: Vec<Piece>,
}

/// All pages that were visited, up to a limit.
#[derive(Debug)]
pub(crate) struct Pages {
    config: PageSetConfig,
    pages_max: usize,
    pages: BTreeMap<String, Page>,
    /// Sets of a time before that nobody has asked for since.
    inherited: BTreeMap<String, PageState>,
    blobs: Blobs,
    /// Counts uses, to forget the page unused longest.
    clock: u64,
    /// Grows with each report.
    revision: u64,
    /// Manifests say when files were changed.
    has_dates: bool,
}

#[derive(Debug)]
struct Page {
    /// Path of the document's asset.
    document: String,
    /// Number of the version that `current` was made from.
    version: u64,
    set: PageSet,
    /// Paths of the assets without which nothing is shown; a page set begins with them.
    blocking: BTreeSet<String>,
    has_dates: bool,
    /// None when the page has no manifest: it breaks a limit.
    current: Option<Made>,
    used: u64,
}

/// A manifest as it was made; see [`PageManifest`].
#[derive(Debug, Clone, Copy)]
struct Made {
    /// Number of the version whose assets it lists.
    version: u64,
    manifest: Digest,
    bytes: u64,
    app_bytes: u64,
    critical: u32,
    document_len: u64,
}

impl Pages {
    /// No pages yet; at most `pages_max` pages and `blobs_len_max` bytes of manifests are remembered. A page begins with what it inherits of
    /// `inherited`, by path.
    pub(crate) fn new(config: PageSetConfig, pages_max: usize, blobs_len_max: usize, inherited: BTreeMap<String, PageState>) -> Self {
        Self {
            config,
            pages_max,
            pages: BTreeMap::new(),
            inherited,
            blobs: Blobs::new(blobs_len_max),
            clock: 0,
            revision: 0,
            has_dates: true,
        }
    }

    /// Manifests do not say from now on when files were changed: other servers of the site have them of another time, and are to have the same manifest.
    pub(crate) fn leave_out_dates(&mut self) {
        self.has_dates = false;
    }

    /// The manifest of the page whose document this is, made if need be. A page never goes back to an older version.
    pub(crate) fn current(&mut self, now_ms: u64, version: &Version, document: &Asset) -> (Option<PageManifest>, Option<Change>) {
        self.clock += 1;
        let path = page_path(document);
        if let Some(page) = self.pages.get_mut(path) {
            page.used = self.clock;
            let change = if page.version < version.number() {
                refresh(page, path, version, document, &mut self.blobs)
            } else if page.version == version.number() && page.set.handle_timeout(now_ms, &|path| served(version, path)) {
                rebuild(page, path, version, document, &mut self.blobs)
            } else {
                None
            };
            return (page.current(), change);
        }
        self.make_room();
        let state = self.inherited.remove(path).unwrap_or_default();
        let ((references, blocking), served) = (references(version, document), |path: &str| served(version, path));
        let set = PageSet::restore(self.config, document.path(), state, &references, &served);
        let mut page = Page {
            document: document.path().to_owned(),
            version: version.number(),
            set,
            blocking,
            has_dates: self.has_dates,
            current: None,
            used: self.clock,
        };
        let change = rebuild(&mut page, path, version, document, &mut self.blobs);
        let current = page.current();
        self.pages.insert(path.to_owned(), page);
        (current, change)
    }

    /// The paths of all pages remembered.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.pages.keys().cloned().collect()
    }

    /// The site changed: the page is looked at again, and forgotten if its document is gone.
    pub(crate) fn handle_version(&mut self, version: &Version, path: &str) -> Option<Change> {
        let page = self.pages.get_mut(path)?;
        let Some(document) = version.document(&page.document) else {
            self.pages.remove(path);
            return None;
        };
        if page.version >= version.number() { None } else { refresh(page, path, version, document, &mut self.blobs) }
    }

    /// A visit tells what it used so far. Believed as far as [`PageSet`] believes it; each path is known by its one canonical form.
    pub(crate) fn handle_report(&mut self, now_ms: u64, version: &Version, path: &str, report: Report) -> Option<Change> {
        let page = self.pages.get_mut(path)?;
        let document = version.document(&page.document)?;
        self.revision += 1;
        let mut change = None;
        if page.version < version.number() {
            change = refresh(page, path, version, document, &mut self.blobs);
        }
        let paths = report.paths.iter().filter_map(|path| version.canonical_path(path)).map(str::to_owned).collect();
        let changed = page.set.handle_report(now_ms, Report { paths, ..report }, &|path| served(version, path));
        if changed {
            change = rebuild(page, path, version, document, &mut self.blobs).or(change);
        }
        change
    }

    /// Another server of the site knows better what visits to a page use.
    pub(crate) fn adopt(&mut self, version: &Version, path: &str, state: PageState) -> Option<Change> {
        let Some(page) = self.pages.get_mut(path) else {
            if self.inherited.len() < self.pages_max || self.inherited.contains_key(path) {
                self.inherited.insert(path.to_owned(), state);
            }
            return None;
        };
        let document = version.document(&page.document)?;
        self.revision += 1;
        page.version = version.number();
        let ((references, blocking), served) = (references(version, document), |path: &str| served(version, path));
        page.set = PageSet::restore(self.config, document.path(), state, &references, &served);
        page.blocking = blocking;
        rebuild(page, path, version, document, &mut self.blobs)
    }

    /// What is worth keeping of one page.
    #[cfg(feature = "cluster")]
    pub(crate) fn state(&self, path: &str) -> Option<PageState> {
        self.pages.get(path).map(|page| page.set.state())
    }

    /// Whether few visits to a page were heard of.
    pub(crate) fn is_young(&self, path: &str) -> bool {
        self.pages.get(path).is_some_and(|page| page.set.visits() <= YOUNG_VISITS_MAX)
    }

    /// The set of a page, for people; none if it has no manifest.
    pub(crate) fn facts(&self, version: &Version, path: &str) -> Option<SetFacts> {
        let page = self.pages.get(path)?;
        let made = page.current?;
        let critical = page.awaited();
        let ring = |at| if at < critical { Ring::Critical } else { Ring::Expected };
        let assets = page.set.assets().iter().enumerate().filter(|(_, path)| version.asset(path).is_some());
        Some(SetFacts {
            bytes: made.app_bytes,
            seeders: 0,
            used_bytes_p50: page.set.used_bytes_p50().map(|bytes| bytes.saturating_add(made.document_len)),
            rings: assets.map(|(at, path)| (path.clone(), ring(at))).chain([(page.document.clone(), Ring::Critical)]).collect(),
        })
    }

    /// A manifest that some page has or recently had.
    pub(crate) fn blob(&mut self, manifest: &Digest) -> Option<Bytes> {
        self.blobs.get(manifest)
    }

    /// Grows whenever there is something new to be kept.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// What is to be kept of every page, most recently used first, then what nobody has asked for since it was inherited.
    pub(crate) fn states(&self) -> Vec<(String, PageState)> {
        let mut pages: Vec<_> = self.pages.iter().filter(|(_, page)| page.set.visits() > 0).collect();
        pages.sort_by_key(|(_, page)| std::cmp::Reverse(page.used));
        let inherited = self.inherited.iter().map(|(path, state)| (path.clone(), state.clone()));
        pages.into_iter().map(|(path, page)| (path.clone(), page.set.state())).chain(inherited).collect()
    }

    /// Forgets the page unused longest when all places are taken.
    fn make_room(&mut self) {
        if self.pages.len() < self.pages_max {
            return;
        }
        if let Some(path) = self.pages.iter().min_by_key(|(_, page)| page.used).map(|(path, _)| path.clone()) {
            self.pages.remove(&path);
        }
    }
}

impl Page {
    /// How many assets of the set, from the first, the deploy of a thin visit waits for: the others come while the page shows.
    fn awaited(&self) -> usize {
        let needed = self.set.assets().iter().take(self.set.critical());
        needed.take_while(|path| self.blocking.contains(*path)).count()
    }

    /// How much a visit uses. What stands for all pages that are made for each visitor is worth as much as that of them which uses most: the others are its neighbours.
    fn size(&self, document_len: u64) -> Size {
        match self.set.used_bytes_max() {
            Some(bytes) if self.document.ends_with(PERSONAL_PATH) => Size::Known { bytes },
            _ => self.set.size().with_document(document_len),
        }
    }

    fn current(&self) -> Option<PageManifest> {
        let Made { manifest, bytes, app_bytes, critical, document_len, .. } = self.current?;
        Some(PageManifest { manifest, bytes, app_bytes, critical, size: self.size(document_len) })
    }
}

/// The length of an asset that may travel: of the site, by its canonical path, and no document, for a document's body depends on how it is asked for.
fn served(version: &Version, path: &str) -> Option<u64> {
    version.asset(path).filter(|asset| !asset.is_document() && asset.path() == path).map(|asset| asset.len())
}

/// What the document refers to, and which of it nothing is shown without.
fn references(version: &Version, document: &Asset) -> (Vec<Reference>, BTreeSet<String>) {
    let referred = version.references(document);
    let blocking = referred.iter().filter(|found| found.blocking).map(|found| found.asset.path().to_owned()).collect();
    (referred.iter().map(|found| Reference { path: found.asset.path().to_owned(), critical: found.critical }).collect(), blocking)
}

fn refresh(page: &mut Page, path: &str, version: &Version, document: &Asset, blobs: &mut Blobs) -> Option<Change> {
    page.version = version.number();
    let (references, blocking) = references(version, document);
    page.blocking = blocking;
    page.set.handle_site(&references, &|path| served(version, path));
    rebuild(page, path, version, document, blobs)
}

/// Makes the manifest of a page from its page set. None if it is the one it had. One that cannot be made leaves that of the same version as it is, and
/// the document alone where there is none.
fn rebuild(page: &mut Page, path: &str, version: &Version, document: &Asset, blobs: &mut Blobs) -> Option<Change> {
    let (critical, assets) = (page.awaited(), page.set.assets());
    let made = match make((path, page.has_dates), version, document, assets, critical) {
        Ok(made) => made,
        Err(error) if page.current.is_some_and(|made| made.version == version.number()) => {
            tracing::warn!(page = path, %error, "this page keeps the manifest that it has");
            return None;
        }
        Err(error) => match make((path, page.has_dates), version, document, &[], 0) {
            Ok(made) => {
                tracing::warn!(page = path, %error, "what visits to this page use does not fit a manifest; only its document travels");
                made
            }
            Err(error) => {
                tracing::warn!(page = path, %error, "this page cannot have a manifest and is answered plain");
                page.current = None;
                return None;
            }
        },
    };
    let (made, blob, pieces) = made;
    let before = page.current.replace(made);
    if before.is_some_and(|before| before.manifest == made.manifest) {
        return None;
    }
    tracing::info!(page = path, manifest = %made.manifest, critical, expected = assets.len() - critical, bytes = made.bytes, "page has a new manifest");
    blobs.insert(made.manifest, Bytes::from(blob));
    Some(Change { page: path.to_owned(), manifest: made.manifest, pieces })
}

/// The manifest of a page: its document, the viral addition, then `assets`, of which the first `critical` are critical.
fn make(
    (path, has_dates): (&str, bool),
    version: &Version,
    document: &Asset,
    assets: &[String],
    critical: usize,
) -> Result<(Made, Vec<u8>, Vec<Piece>), ManifestError> {
    let mut first = document.record();
    path.clone_into(&mut first.path);
    let document_len = first.len;
    // Right after the document, which asks for it.
    let own = std::iter::once(first).chain(version.addition().map(|asset| asset.record()));
    let record = |path: &String| version.asset(path).map(|asset| asset.record());
    let (needed, others) = assets.split_at(critical.min(assets.len()));
    let needed: Vec<_> = own.chain(needed.iter().filter_map(record)).collect();
    let critical = u32::try_from(needed.len()).unwrap_or(u32::MAX);
    let mut manifest = Manifest { assets: needed.into_iter().chain(others.iter().filter_map(record)).collect() };
    if !has_dates {
        manifest.assets.iter_mut().for_each(|record| record.headers.retain(|(name, _)| name != header::LAST_MODIFIED.as_str()));
    }
    let blob = manifest.encode()?;
    let app_bytes = manifest.assets.iter().filter(|record| !record.is_ours()).map(|record| record.len).sum();
    let made = Made { version: version.number(), manifest: Digest::of(&blob), bytes: manifest.bytes(), app_bytes, critical, document_len };
    Ok((made, blob, manifest.distinct_pieces()))
}

#[cfg(test)]
mod tests;
