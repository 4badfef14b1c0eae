//! One page in numbers: what is in each ring of its set, who sent how much of it, and what thin visits still took from the origin.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counted::{AssetBytes, Counted};
use crate::{
    alerts::Costly,
    limits::{FROM_ORIGIN_MAX, RECORD_LEN_MIN},
};

/// A ring of the page set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// The page waits for it.
    Critical,
    /// At least half of the visits use it.
    Expected,
    /// Everything else of the site.
    OnDemand,
}

/// What is known of a page's set now.
#[derive(Debug, Clone, Default)]
pub struct SetFacts {
    /// Bytes of its manifest without our addition.
    pub bytes: u64,
    /// How many peers hold that manifest whole and can be introduced.
    pub seeders: usize,
    /// Median of what recent visits used, if any told.
    pub used_bytes_p50: Option<u64>,
    /// The ring of each asset of its manifest but our addition. The document is critical: nothing shows without it.
    pub rings: BTreeMap<String, Ring>,
}

/// What is known of an asset now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetFacts {
    /// Its bytes as it travels: of a document with our addition.
    pub len: u64,
    /// Whether it is a document.
    pub is_document: bool,
}

/// What is known of the site now.
#[derive(Debug, Clone, Copy)]
pub struct SiteFacts<F> {
    /// How many assets it has.
    pub assets: usize,
    /// Their bytes together.
    pub bytes: u64,
    /// What is known of the asset at a path, if there is one.
    pub asset: F,
}

/// A page in numbers, as `/stats` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageSnapshot {
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
    /// The page, of which this was counted.
    pub(super) fn of(page: &str, counted: &Counted, set: &SetFacts, site: &SiteFacts<impl Fn(&str) -> Option<AssetFacts>>) -> Self {
        let mut rings = Rings::of(set, site);
        rings.critical.origin_bytes = counted.documents;
        for (path, asset) in &counted.assets {
            let ring = rings.at(set.rings.get(path).copied().unwrap_or(Ring::OnDemand));
            ring.origin_bytes = ring.origin_bytes.saturating_add(asset.sent);
        }
        for (ring, bytes) in [Ring::Critical, Ring::Expected, Ring::OnDemand].into_iter().zip(counted.rings_from_peers) {
            rings.at(ring).peer_bytes = bytes;
        }
        Self {
            page: page.to_owned(),
            set_bytes: set.bytes,
            seeders: set.seeders,
            used_bytes_p50: set.used_bytes_p50,
            peer_bytes: counted.from_peers,
            origin_bytes: counted.sent,
            rings,
            from_origin: from_origin(counted, set, &site.asset),
        }
    }

    /// What thin visits take most of from the origin, if anything.
    #[must_use]
    pub fn costly(&self) -> Option<Costly> {
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
    fn of(set: &SetFacts, site: &SiteFacts<impl Fn(&str) -> Option<AssetFacts>>) -> Self {
        let mut rings = Self::default();
        for (path, ring) in &set.rings {
            let ring = rings.at(*ring);
            ring.assets += 1;
            ring.bytes += (site.asset)(path).map_or(0, |asset| asset.len);
        }
        rings.on_demand.assets = site.assets.saturating_sub(rings.critical.assets + rings.expected.assets);
        rings.on_demand.bytes = site.bytes.saturating_sub(rings.critical.bytes + rings.expected.bytes);
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

/// What thin visits still took from the origin, most bytes first.
fn from_origin(counted: &Counted, set: &SetFacts, asset_at: impl Fn(&str) -> Option<AssetFacts>) -> Vec<FromOrigin> {
    let mut found: Vec<_> = counted.assets.iter().filter(|(_, asset)| asset.thin() > 0).collect();
    found.sort_by_key(|(path, asset)| (std::cmp::Reverse(asset.thin()), *path));
    let why = |path: &str, asset: &AssetBytes| {
        let known = asset_at(path);
        if set.rings.contains_key(path) {
            if asset.thin_pieces >= asset.thin_whole { Why::NoPeer } else { Why::PastWorker }
        } else if known.is_some_and(|asset| asset.is_document) {
            Why::Document
        } else if known.is_some_and(|asset| asset.len < RECORD_LEN_MIN) {
            Why::Short
        } else {
            Why::OnDemand
        }
    };
    let entry = |(path, asset): (&String, &AssetBytes)| FromOrigin { path: path.clone(), bytes: asset.thin(), why: why(path, asset) };
    found.into_iter().take(FROM_ORIGIN_MAX).map(entry).collect()
}
