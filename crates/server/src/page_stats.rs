//! What each page cost: bytes by page, by asset and by who sent them. Bounded, never reset.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::limits::{COUNTED_ASSETS_MAX, COUNTED_PAGES_MAX, FROM_ORIGIN_MAX, RECORD_LEN_MIN};
use viral_site::{Version, Which};
use viral_swarm::alerts::Costly;

/// How an asset left the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// By its own address.
    Whole,
    /// Piece by piece.
    Pieces,
}

/// Counters by page. Shared.
#[derive(Debug, Default)]
pub(crate) struct PageCounters {
    pages: Mutex<BTreeMap<String, Counted>>,
}

/// The counters of one page.
#[derive(Debug, Default)]
struct Counted {
    /// Bytes of its documents.
    documents: u64,
    /// Bytes of each asset.
    assets: BTreeMap<String, AssetBytes>,
    /// Bytes of all this, and of what belongs to no asset or to one too many.
    sent: u64,
    /// Bytes from peers, as visitors report them.
    from_peers: u64,
    /// The same by ring, as far as they say.
    rings_from_peers: [u64; 3],
}

#[derive(Debug, Default, Clone, Copy)]
struct AssetBytes {
    sent: u64,
    /// Of these to thin visits, by how they were taken.
    thin_whole: u64,
    thin_pieces: u64,
}

impl AssetBytes {
    fn thin(&self) -> u64 {
        self.thin_whole.saturating_add(self.thin_pieces)
    }
}

impl Counted {
    fn bytes(&self) -> u64 {
        self.sent.saturating_add(self.from_peers)
    }
}

impl PageCounters {
    /// The page's document was sent.
    pub(crate) fn add_document(&self, page: &str, bytes: u64) {
        self.with(page, |counted| {
            counted.sent = counted.sent.saturating_add(bytes);
            counted.documents = counted.documents.saturating_add(bytes);
        });
    }

    /// An asset, or a piece of it, was sent to a visit of the page.
    pub(crate) fn add_asset(&self, page: &str, path: &str, bytes: u64, taken: Taken, is_thin: bool) {
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
    pub(crate) fn add_other(&self, page: &str, bytes: u64) {
        self.with(page, |counted| counted.sent = counted.sent.saturating_add(bytes));
    }

    /// A visitor of the page reports what it took from peers.
    pub(crate) fn add_from_peers(&self, page: &str, bytes: u64, rings: [u64; 3]) {
        self.with(page, |counted| {
            counted.from_peers = counted.from_peers.saturating_add(bytes);
            for (sum, ring) in counted.rings_from_peers.iter_mut().zip(rings) {
                *sum = sum.saturating_add(ring);
            }
        });
    }

    /// The pages counted, most bytes first.
    pub(crate) fn pages(&self) -> Vec<String> {
        let pages = self.lock();
        let mut paths: Vec<_> = pages.iter().map(|(path, counted)| (std::cmp::Reverse(counted.bytes()), path.clone())).collect();
        paths.sort();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// One page in numbers, by the set that it has now, of a version of so many assets.
    pub(crate) fn snapshot(&self, page: &str, set: &PageFacts, version: &Version, assets: usize) -> Option<PageSnapshot> {
        let pages = self.lock();
        let counted = pages.get(page)?;
        let mut rings = Rings::of(set, version, assets);
        rings.critical.origin_bytes = counted.documents;
        for (path, asset) in &counted.assets {
            let ring = rings.at(set.rings.get(path).copied().unwrap_or(Ring::OnDemand));
            ring.origin_bytes = ring.origin_bytes.saturating_add(asset.sent);
        }
        for (ring, bytes) in [Ring::Critical, Ring::Expected, Ring::OnDemand].into_iter().zip(counted.rings_from_peers) {
            rings.at(ring).peer_bytes = bytes;
        }
        Some(PageSnapshot {
            page: page.to_owned(),
            set_bytes: set.bytes,
            seeders: set.seeders,
            used_bytes_p50: set.used_bytes_p50,
            peer_bytes: counted.from_peers,
            origin_bytes: counted.sent,
            rings,
            from_origin: from_origin(counted, set, version),
        })
    }

    fn with(&self, page: &str, add: impl FnOnce(&mut Counted)) {
        let mut pages = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Counted>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What thin visits still took from the origin, most bytes first.
fn from_origin(counted: &Counted, set: &PageFacts, version: &Version) -> Vec<FromOrigin> {
    let mut found: Vec<_> = counted.assets.iter().filter(|(_, asset)| asset.thin() > 0).collect();
    found.sort_by_key(|(path, asset)| (std::cmp::Reverse(asset.thin()), *path));
    let why = |path: &str, asset: &AssetBytes| {
        let known = version.asset(path);
        if set.rings.contains_key(path) {
            if asset.thin_pieces >= asset.thin_whole { Why::NoPeer } else { Why::PastWorker }
        } else if known.is_some_and(|asset| asset.is_document()) {
            Why::Document
        } else if known.is_some_and(|asset| asset.len() < RECORD_LEN_MIN) {
            Why::Short
        } else {
            Why::OnDemand
        }
    };
    let entry = |(path, asset): (&String, &AssetBytes)| FromOrigin { path: path.clone(), bytes: asset.thin(), why: why(path, asset) };
    found.into_iter().take(FROM_ORIGIN_MAX).map(entry).collect()
}

/// A ring of the page set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The page waits for it.
    Critical,
    /// At least half of the visits use it.
    Expected,
    /// Everything else of the site.
    OnDemand,
}

/// What is known of a page's set now.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageFacts {
    /// Bytes of its manifest without our addition.
    pub(crate) bytes: u64,
    /// How many peers hold that manifest whole and can be introduced.
    pub(crate) seeders: usize,
    /// Median of what recent visits used, if any told.
    pub(crate) used_bytes_p50: Option<u64>,
    /// The ring of each asset of its manifest but our addition. The document is critical: nothing shows without it.
    pub(crate) rings: BTreeMap<String, Ring>,
}

/// A page in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PageSnapshot {
    page: String,
    set_bytes: u64,
    seeders: usize,
    used_bytes_p50: Option<u64>,
    peer_bytes: u64,
    origin_bytes: u64,
    rings: Rings,
    from_origin: Vec<FromOrigin>,
}

impl PageSnapshot {
    /// What thin visits take most of from the origin, if anything.
    pub(crate) fn costly(&self) -> Option<Costly> {
        let FromOrigin { path, bytes, why } = self.from_origin.first()?;
        Some(Costly { page: self.page.clone(), asset: path.clone(), bytes: *bytes, peer_bytes: self.peer_bytes, why: why.name() })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct Rings {
    critical: RingSnapshot,
    expected: RingSnapshot,
    on_demand: RingSnapshot,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct RingSnapshot {
    assets: usize,
    bytes: u64,
    peer_bytes: u64,
    origin_bytes: u64,
}

impl Rings {
    /// What is in each ring now; no bytes were sent yet.
    fn of(set: &PageFacts, version: &Version, assets: usize) -> Self {
        let mut rings = Self::default();
        for (path, ring) in &set.rings {
            let ring = rings.at(*ring);
            ring.assets += 1;
            ring.bytes += version.asset(path).map_or(0, |asset| asset.object(Which::Full).len());
        }
        rings.on_demand.assets = assets.saturating_sub(rings.critical.assets + rings.expected.assets);
        rings.on_demand.bytes = version.bytes().saturating_sub(rings.critical.bytes + rings.expected.bytes);
        rings
    }

    fn at(&mut self, ring: Ring) -> &mut RingSnapshot {
        match ring {
            Ring::Critical => &mut self.critical,
            Ring::Expected => &mut self.expected,
            Ring::OnDemand => &mut self.on_demand,
        }
    }
}

/// An asset that thin visits still took from the origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FromOrigin {
    path: String,
    bytes: u64,
    why: Why,
}

/// Why, as far as the server can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// It is not in the page set.
    OnDemand,
    /// It is not in the page set, and too short to be asked of peers.
    Short,
    /// It is a document, which never travels as an asset.
    Document,
    /// It is in the page set and was taken piece by piece: no peer gave these pieces in time.
    NoPeer,
    /// It is in the page set and was asked for by its own address: the request did not pass the page's engine.
    PastWorker,
}

impl Why {
    /// Its name, the same as in `/stats`.
    const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Short => "short",
            Self::Document => "document",
            Self::NoPeer => "no-peer",
            Self::PastWorker => "past-worker",
        }
    }
}

#[cfg(test)]
mod tests;
