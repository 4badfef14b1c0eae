//! One immutable state of the whole site: its assets by path and its pieces by id.

use std::{
    borrow::Cow,
    collections::{BTreeSet, VecDeque},
    io,
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use viral_wire::PieceId;

use super::{
    Asset, Which,
    asset::Headers,
    contents::{Assets, Contents},
    limits::REFERENCES_MAX,
    looks::Looks,
    path,
    references::{Need, Reference},
    resolve::{Led, NOT_FOUND_PAGE, Paths},
    rules::{Redirect, Rules},
};

/// What is the same in all versions of a site.
#[derive(Debug, Clone)]
pub(super) struct SiteSettings {
    /// See `SiteOptions::base`.
    pub(super) base: Arc<str>,
    /// See `SiteOptions::spa`.
    pub(super) spa: bool,
    /// See `SiteOptions::exact_paths`.
    pub(super) exact_paths: bool,
    /// The operator's headers.
    pub(super) headers: Arc<Headers>,
    /// The script that every document was given.
    pub(super) addition: Option<Arc<Asset>>,
    /// See [`Version::personal`].
    pub(super) personal: Option<Arc<Asset>>,
}

/// One immutable state of the site. Everything in it stays readable while it is held.
#[derive(Debug)]
pub struct Version {
    number: u64,
    tag: String,
    settings: SiteSettings,
    assets: Assets,
    /// See `Contents::behind`.
    behind: Assets,
    rules: Arc<Rules>,
    /// One asset for each content, sorted by its digest.
    owners: Vec<Arc<Asset>>,
    /// Sorted by id.
    pieces: Vec<Place>,
    bytes: u64,
    /// Relative paths of the documents that some page offers for saving.
    downloads: BTreeSet<String>,
}

/// Where a piece is: 40 bytes, since large sites have millions.
#[derive(Debug, Clone, Copy)]
struct Place {
    id: PieceId,
    owner: u32,
    len: u32,
    offset: u64,
}

/// An asset that a page refers to.
#[derive(Debug, Clone)]
pub struct Referred {
    /// The asset.
    pub asset: Arc<Asset>,
    /// Whether rendering or the first scripts need it: style sheets, scripts, and what those import.
    pub critical: bool,
    /// Whether nothing is shown without it: style sheets, and scripts of the head for which the parser waits. These come first.
    pub blocking: bool,
}

/// What a URL path leads to.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// This asset, status 200.
    Asset(Arc<Asset>),
    /// Another address: that of a directory named without its final slash, or what a rule of the site's says.
    Redirect(Redirect),
    /// Nothing; with the page that a rule of the site's names, else with its `404.html`, if it has one.
    NotFound(Option<Arc<Asset>>),
}

/// Where the bytes of a piece are. Keeps them readable.
#[derive(Debug, Clone)]
pub struct PieceLocation {
    owner: Arc<Asset>,
    offset: u64,
    len: u32,
}

#[expect(clippy::len_without_is_empty, reason = "a piece is never empty")]
impl PieceLocation {
    /// Raw length in bytes.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Path of an asset that has this piece; of several, always the same one.
    pub fn path(&self) -> &str {
        self.owner.path()
    }

    /// The raw bytes of the piece.
    ///
    /// # Errors
    /// When the object store cannot be read.
    pub async fn read(&self) -> io::Result<Bytes> {
        self.owner.object(Which::Full).read_range(self.offset..self.offset + u64::from(self.len)).await
    }
}

impl Version {
    pub(super) fn new(number: u64, contents: Contents, settings: SiteSettings) -> Self {
        let tag = tag(&contents);
        let Contents { assets, behind, rules } = contents;
        let (owners, pieces) = index(assets.values().chain(behind.values()).chain(&settings.addition));
        let bytes = assets.values().map(|asset| asset.object(Which::Full).len()).sum();
        let downloads = downloads(&assets);
        Self { number, tag, settings, assets, behind, rules, owners, pieces, bytes, downloads }
    }

    /// Its number, from 1, growing by one with each change of content.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Names its content, in 16 hex digits: another process that serves the same gives it the same name, and no other version has it.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What a URL path (without query) leads to.
    ///
    /// A path with a final slash leads to the `index.html` of that directory, one with several slashes in a row to the path with one. With
    /// `SiteOptions::spa`, a path that leads to nothing and whose last segment has no `.` leads to `/index.html`: a missing `app.js` stays missing,
    /// since HTML in its place would only hide the fault. Paths that could leave the site or name hidden files lead to nothing.
    ///
    /// The rules of a directory's `_redirects` come before all of that if they end in `!`, else where there is no file.
    pub fn resolve(&self, url_path: &str) -> Resolved {
        self.resolved(|paths| paths.find(url_path))
    }

    /// What somebody who goes to a URL path comes to. With `SiteOptions::spa` the app has every path that leads to nothing, `/v1.2` and `/missing.js`
    /// too: who goes there wants a page.
    pub fn resolve_visit(&self, url_path: &str) -> Resolved {
        self.resolved(|paths| paths.find_visit(url_path))
    }

    fn resolved(&self, find: impl FnOnce(&Paths<'_, Arc<Asset>>) -> Option<Led<Arc<Asset>>>) -> Resolved {
        let SiteSettings { base, spa, exact_paths, .. } = &self.settings;
        let file = |relative: &str| self.assets.get(relative).or_else(|| self.behind.get(relative)).cloned();
        match find(&Paths { base, spa: *spa, exact: *exact_paths, rules: &self.rules, file: &file }) {
            Some(Led::File(asset)) => Resolved::Asset(asset),
            Some(Led::Redirect(redirect)) => Resolved::Redirect(redirect),
            Some(Led::NotFound(Some(page))) => Resolved::NotFound(Some(page)),
            None if *exact_paths => Resolved::NotFound(None),
            None | Some(Led::NotFound(None)) => Resolved::NotFound(file(&format!("{base}{NOT_FOUND_PAGE}"))),
        }
    }

    /// The asset whose percent-encoded path this is, exactly: no directory index, no fallback.
    pub fn asset(&self, path: &str) -> Option<&Arc<Asset>> {
        self.assets.get(&path::decode(path)?)
    }

    /// The one percent-encoded form of the path of an asset, however it is written: `/%6fk.js` is `/ok.js`. `None` where there is no such asset.
    pub fn canonical_path(&self, path: &str) -> Option<&str> {
        self.asset(path).map(|asset| asset.path())
    }

    /// All assets, sorted by path.
    pub fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        self.assets.values()
    }

    /// The assets whose relative paths come after that of this percent-encoded path, sorted; `None` when it is no path. `/` comes before all.
    pub fn assets_after(&self, path: &str) -> Option<impl Iterator<Item = &Arc<Asset>>> {
        let after = path::decode(path)?;
        Some(self.assets.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, asset)| asset))
    }

    /// The script that every document was given, if any: it has a record and pieces like an asset, and is none of [`Self::assets`].
    pub fn addition(&self) -> Option<&Arc<Asset>> {
        self.settings.addition.as_ref()
    }

    /// What stands for all pages that another service makes for each visitor, where there is one: an empty document that nobody is shown. Its page has a set of what such pages load.
    pub fn personal(&self) -> Option<&Arc<Asset>> {
        self.settings.personal.as_ref()
    }

    /// The document of a page by its percent-encoded path: one that a rule leads to, and whose own address leads elsewhere, and what stands for those that are made for each visitor.
    pub fn document(&self, path: &str) -> Option<&Arc<Asset>> {
        let file = || {
            let relative = path::decode(path)?;
            self.assets.get(&relative).or_else(|| self.behind.get(&relative))
        };
        self.personal().filter(|personal| personal.path() == path).or_else(file).filter(|asset| asset.is_document())
    }

    /// Bytes of all assets, as full answers send them before any content coding.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Assets that a document refers to, found by static parse, in order of need, the document itself not included.
    ///
    /// Includes what style sheets and modules refer to in turn. Empty for anything but a document. Work is proportional to
    /// the references: keep the result per page.
    pub fn references(&self, document: &Asset) -> Vec<Referred> {
        if !document.is_document() {
            return Vec::new();
        }
        let mut seen = BTreeSet::from([document.path()]);
        let mut references = Vec::new();
        let mut links: Vec<&Reference> = document.links().iter().collect();
        for need in [Need::Blocking, Need::First, Need::Later] {
            let mut later = Vec::new();
            self.follow(links, need, &mut seen, &mut references, &mut later);
            links = later;
        }
        references
    }

    /// Adds what `links` lead to and what that refers to, nearest first; links that are needed later go to `later`.
    fn follow<'v>(
        &'v self,
        links: Vec<&'v Reference>,
        need: Need,
        seen: &mut BTreeSet<&'v str>,
        references: &mut Vec<Referred>,
        later: &mut Vec<&'v Reference>,
    ) {
        let mut queue: VecDeque<(&Reference, bool)> = links.into_iter().map(|link| (link, false)).collect();
        while let Some((link, is_imported)) = queue.pop_front() {
            // What a style sheet imports is awaited with it.
            if link.need > need && !(is_imported && link.need == Need::First) {
                later.push(link);
                continue;
            }
            let Some(asset) = self.assets.get(&link.target) else { continue };
            if references.len() >= REFERENCES_MAX {
                return;
            }
            if !asset.is_document() && seen.insert(asset.path()) {
                references.push(Referred { asset: Arc::clone(asset), critical: need <= Need::First, blocking: need == Need::Blocking });
                queue.extend(asset.links().iter().map(|link| (link, asset.is_style())));
            }
        }
    }

    /// What a document looks like before anything of it is drawn, as far as it and the style sheets that it links say so in plain words.
    pub fn looks(&self, document: &Asset) -> Looks {
        document.seen().looks(|target| self.assets.get(target).map(|asset| asset.seen()))
    }

    /// Whether some page of the site offers this document for saving (`<a download>`).
    pub fn is_offered_for_saving(&self, document: &Asset) -> bool {
        !self.downloads.is_empty() && path::decode(document.path()).is_some_and(|relative| self.downloads.contains(&relative))
    }

    /// Where a piece of any record of this version is.
    pub fn piece(&self, id: &PieceId) -> Option<PieceLocation> {
        let at = self.pieces.binary_search_by(|place| place.id.cmp(id)).ok()?;
        let Place { owner, len, offset, .. } = self.pieces.get(at)?;
        let owner = self.owners.get(usize::try_from(*owner).ok()?)?;
        Some(PieceLocation { owner: Arc::clone(owner), offset: *offset, len: *len })
    }

    /// The raw bytes of a piece.
    ///
    /// # Errors
    /// When the object store cannot be read.
    pub async fn read_piece(&self, location: &PieceLocation) -> io::Result<Bytes> {
        location.read().await
    }

    /// The operator's headers of an answer at this URL path that is no file.
    pub(super) fn headers_at(&self, url_path: &str) -> Cow<'_, Headers> {
        let given = &*self.settings.headers;
        self.rules.headers_at(url_path, given).map_or(Cow::Borrowed(given), Cow::Owned)
    }

    /// Whether every request would be answered alike.
    pub(super) fn same_content(&self, contents: &Contents) -> bool {
        let same = |own: &Assets, others: &Assets| {
            own.len() == others.len()
                && own.iter().zip(others).all(|((path, asset), (other_path, other))| path == other_path && asset.same_content(other))
        };
        self.rules.digest() == contents.rules.digest() && same(&self.assets, &contents.assets) && same(&self.behind, &contents.behind)
    }

    /// Whether there is nothing to serve.
    pub(super) fn is_empty(&self) -> bool {
        self.assets.is_empty() && self.behind.is_empty()
    }
}

fn tag(contents: &Contents) -> String {
    let mut hasher = Sha256::new();
    if let Some(rules) = contents.rules.digest() {
        hasher.update(rules.as_bytes());
    }
    for (path, asset) in contents.assets.iter().chain(&contents.behind) {
        hasher.update((path.len() as u64).to_be_bytes());
        hasher.update(path);
        for which in [Which::Raw, Which::Full] {
            hasher.update(asset.object(which).digest().as_bytes());
        }
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The documents that pages offer for saving, by the paths that they are served from.
fn downloads(assets: &Assets) -> BTreeSet<String> {
    let offered = assets.values().flat_map(|asset| asset.downloads());
    let files = offered
        .map(|relative| if relative.is_empty() || relative.ends_with('/') { format!("{relative}index.html") } else { relative.clone() });
    files.filter(|relative| assets.get(relative).is_some_and(|asset| asset.is_document())).collect()
}

fn index<'a>(assets: impl Iterator<Item = &'a Arc<Asset>>) -> (Vec<Arc<Asset>>, Vec<Place>) {
    let mut owners: Vec<Arc<Asset>> = assets.cloned().collect();
    owners.sort_by_key(|asset| asset.object(Which::Full).digest());
    owners.dedup_by_key(|asset| asset.object(Which::Full).digest());
    let mut pieces = Vec::with_capacity(owners.iter().map(|asset| asset.object(Which::Full).pieces().len()).sum());
    for (owner, asset) in (0..).zip(&owners) {
        let mut offset = 0;
        for piece in asset.object(Which::Full).pieces() {
            pieces.push(Place { id: piece.id(), owner, len: piece.len, offset });
            offset += u64::from(piece.len);
        }
    }
    pieces.sort_by_key(|place| place.id);
    pieces.dedup_by_key(|place| place.id);
    (owners, pieces)
}
