//! What each page cost: bytes by page, by asset and by who sent them. Bounded, never reset.

mod counted;
mod snapshot;

use std::collections::BTreeMap;

use crate::limits::{COUNTED_ASSETS_MAX, COUNTED_PAGES_MAX};
use counted::Counted;

pub use snapshot::{AssetFacts, PageSnapshot, Ring, SetFacts, SiteFacts};

/// How an asset left the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// By its own address.
    Whole,
    /// Piece by piece.
    Pieces,
}

/// What the pages of one site cost.
#[derive(Debug, Default)]
pub struct PageCosts {
    pages: BTreeMap<String, Counted>,
}

impl PageCosts {
    /// The page's document was sent.
    pub fn add_document(&mut self, page: &str, bytes: u64) {
        self.with(page, |counted| {
            counted.sent = counted.sent.saturating_add(bytes);
            counted.documents = counted.documents.saturating_add(bytes);
        });
    }

    /// An asset, or a piece of it, was sent to a visit of the page.
    pub fn add_asset(&mut self, page: &str, path: &str, bytes: u64, taken: Taken, is_thin: bool) {
        if path.contains(viral_wire::OWN_PATHS) {
            return self.add_other(page, bytes);
        }
        self.with(page, |counted| {
            counted.sent = counted.sent.saturating_add(bytes);
            if counted.assets.len() >= COUNTED_ASSETS_MAX && !counted.assets.contains_key(path) {
                return;
            }
            let asset = counted.assets.entry(path.to_owned()).or_default();
            asset.sent = asset.sent.saturating_add(bytes);
            if is_thin {
                let thin = if taken == Taken::Whole { &mut asset.thin_whole } else { &mut asset.thin_pieces };
                *thin = thin.saturating_add(bytes);
            }
        });
    }

    /// Something else was sent: a manifest, records, what frames pieces.
    pub fn add_other(&mut self, page: &str, bytes: u64) {
        self.with(page, |counted| counted.sent = counted.sent.saturating_add(bytes));
    }

    /// A visitor of the page reports what it took from peers.
    pub fn add_from_peers(&mut self, page: &str, bytes: u64, rings: [u64; 3]) {
        self.with(page, |counted| {
            counted.from_peers = counted.from_peers.saturating_add(bytes);
            for (sum, ring) in counted.rings_from_peers.iter_mut().zip(rings) {
                *sum = sum.saturating_add(ring);
            }
        });
    }

    /// The pages counted, most bytes first.
    #[must_use]
    pub fn pages(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.pages.iter().map(|(path, counted)| (std::cmp::Reverse(counted.bytes()), path.clone())).collect();
        paths.sort();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// One page in numbers, by the set that it has now, of the site as it is now; none if nothing was counted of it.
    #[must_use]
    pub fn snapshot(&self, page: &str, set: &SetFacts, site: &SiteFacts<impl Fn(&str) -> Option<AssetFacts>>) -> Option<PageSnapshot> {
        self.pages.get(page).map(|counted| PageSnapshot::of(page, counted, set, site))
    }

    fn with(&mut self, page: &str, add: impl FnOnce(&mut Counted)) {
        let pages = &mut self.pages;
        if let Some(counted) = pages.get_mut(page) {
            return add(counted);
        }
        if pages.len() >= COUNTED_PAGES_MAX
            && let Some(least) = pages.iter().min_by_key(|(_, counted)| counted.bytes()).map(|(path, _)| path.clone())
        {
            pages.remove(&least);
        }
        add(pages.entry(page.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests;
