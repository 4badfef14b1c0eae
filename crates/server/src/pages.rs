//! The manifest of each page: its boot set as the current version of the site has it, and the blobs of recent ones.

mod blobs;

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use viral_swarm::bootset::{BootConfig, BootSet};
use viral_wire::{Digest, Manifest, Piece};

use crate::files::{Asset, Version};
use blobs::Blobs;

/// What stands for a directory in the path of its index.
const INDEX: &str = "index.html";

/// The path of a page: that of its document, where `index.html` is spelled as the directory. One page has one, however it is reached.
pub(crate) fn page_path(document: &Asset) -> &str {
    let path = document.path();
    path.strip_suffix(INDEX).filter(|directory| directory.ends_with('/')).unwrap_or(path)
}

/// The manifest that holds for a page now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Current {
    /// Its name.
    pub(crate) manifest: Digest,
    /// Bytes of its assets together.
    pub(crate) bytes: u64,
    /// Those of the app: without the viral addition.
    pub(crate) app_bytes: u64,
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
    config: BootConfig,
    pages_max: usize,
    pages: BTreeMap<String, Page>,
    blobs: Blobs,
    /// Counts uses, to forget the page unused longest.
    clock: u64,
}

#[derive(Debug)]
struct Page {
    /// Path of the document's asset.
    document: String,
    /// Number of the version that `current` was made from.
    version: u64,
    boot: BootSet,
    /// None when the page has no manifest: it breaks a limit.
    current: Option<Current>,
    used: u64,
}

impl Pages {
    /// No pages yet; at most `pages_max` pages and `blobs_len_max` bytes of manifests are remembered.
    pub(crate) fn new(config: BootConfig, pages_max: usize, blobs_len_max: usize) -> Self {
        Self { config, pages_max, pages: BTreeMap::new(), blobs: Blobs::new(blobs_len_max), clock: 0 }
    }

    /// The manifest of the page whose document this is, made if need be. A page never goes back to an older version.
    pub(crate) fn current(&mut self, version: &Version, document: &Asset) -> (Option<Current>, Option<Change>) {
        self.clock += 1;
        let path = page_path(document);
        if let Some(page) = self.pages.get_mut(path) {
            page.used = self.clock;
            if page.version >= version.number() {
                return (page.current, None);
            }
            let change = refresh(page, path, version, document, &mut self.blobs);
            return (page.current, change);
        }
        self.make_room();
        let boot = BootSet::new(self.config, document.path(), &references(version, document), &|path| served(version, path));
        let mut page = Page { document: document.path().to_owned(), version: version.number(), boot, current: None, used: self.clock };
        let change = rebuild(&mut page, path, version, document, &mut self.blobs);
        let current = page.current;
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
        let Some(document) = version.asset(&page.document).filter(|asset| asset.is_document()) else {
            self.pages.remove(path);
            return None;
        };
        if page.version >= version.number() { None } else { refresh(page, path, version, document, &mut self.blobs) }
    }

    /// A visitor, by number and address, tells what it loaded before `load`. Believed as far as [`BootSet`] believes it.
    pub(crate) fn handle_report(&mut self, version: &Version, path: &str, voter: (u64, IpAddr), assets: &[String]) -> Option<Change> {
        let page = self.pages.get_mut(path)?;
        let document = version.asset(&page.document)?;
        let changed = page.boot.handle_report(voter.0, voter.1, assets, &|path| served(version, path));
        if page.version < version.number() {
            return refresh(page, path, version, document, &mut self.blobs);
        }
        if changed { rebuild(page, path, version, document, &mut self.blobs) } else { None }
    }

    /// A manifest that some page has or recently had.
    pub(crate) fn blob(&mut self, manifest: &Digest) -> Option<Bytes> {
        self.blobs.get(manifest)
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

/// Assets that may travel: those of the site that are no documents, for a document's body depends on how it is asked for.
fn served(version: &Version, path: &str) -> Option<u64> {
    version.asset(path).filter(|asset| !asset.is_document()).map(|asset| asset.len())
}

fn references(version: &Version, document: &Asset) -> Vec<String> {
    version.references(document).iter().map(|asset| asset.path().to_owned()).collect()
}

fn refresh(page: &mut Page, path: &str, version: &Version, document: &Asset, blobs: &mut Blobs) -> Option<Change> {
    page.version = version.number();
    page.boot.handle_site(&references(version, document), &|path| served(version, path));
    rebuild(page, path, version, document, blobs)
}

/// Makes the manifest of a page from its boot set. None if it is the one it had.
fn rebuild(page: &mut Page, path: &str, version: &Version, document: &Asset, blobs: &mut Blobs) -> Option<Change> {
    let mut first = document.record();
    path.clone_into(&mut first.path);
    // Right after the document, which asks for it.
    let addition = version.addition().map(|asset| asset.record());
    let others = page.boot.assets().iter().filter_map(|asset| version.asset(asset)).map(|asset| asset.record());
    let manifest = Manifest { assets: std::iter::once(first).chain(addition).chain(others).collect() };
    let blob = match manifest.encode() {
        Ok(blob) => blob,
        Err(error) => {
            tracing::warn!(page = path, %error, "this page cannot have a manifest and is answered plain");
            page.current = None;
            return None;
        }
    };
    let app_bytes = manifest.assets.iter().filter(|record| !record.is_ours()).map(|record| record.len).sum();
    let current = Current { manifest: Digest::of(&blob), bytes: manifest.bytes(), app_bytes };
    if page.current == Some(current) {
        return None;
    }
    tracing::info!(page = path, manifest = %current.manifest, assets = manifest.assets.len(), bytes = current.bytes, "page has a new manifest");
    page.current = Some(current);
    blobs.insert(current.manifest, Bytes::from(blob));
    Some(Change { page: path.to_owned(), manifest: current.manifest, pieces: manifest.distinct_pieces() })
}

#[cfg(test)]
mod tests;
