//! What a mirror of a whole site takes besides the page's manifest: the server's listing, asked for again now and then.

use std::collections::BTreeSet;

use viral_wire::{AssetRecord, Digest};

use super::Peer;
use crate::limits::LISTING_MS;
use crate::origin::{Listing, OriginError};

/// The assets of the site that no manifest of ours names.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    /// The server's name for the version that `records` are of.
    tag: Option<String>,
    records: Vec<AssetRecord>,
    /// Whether the server ever said what there is: until then nothing that may belong to the site is deleted.
    is_known: bool,
    /// Whether an answer is awaited, and whether it will be of an older version than ours.
    asking: bool,
    is_stale: bool,
    /// When the server is asked next, in milliseconds since the start.
    pub(super) ask_at: u64,
    /// What the server last said against it, so that it is logged once.
    fault: Option<String>,
}

impl Mirror {
    /// All assets listed.
    pub(crate) fn records(&self) -> &[AssetRecord] {
        &self.records
    }
}

impl Peer {
    /// Asks the server which assets there are, one question at a time.
    pub(super) fn ask_listing(&mut self) {
        let now = self.now();
        let Some(mirror) = &mut self.mirror else { return };
        mirror.ask_at = now + LISTING_MS;
        if std::mem::replace(&mut mirror.asking, true) {
            return;
        }
        self.requests.ask_listing(mirror.tag.clone());
    }

    /// The server's answer; none = nothing changed.
    pub(super) fn handle_listing(&mut self, listing: Result<Option<Listing>, OriginError>) {
        let now = self.now();
        let Some(mirror) = &mut self.mirror else { return };
        mirror.asking = false;
        if std::mem::take(&mut mirror.is_stale) {
            mirror.ask_at = now;
            return;
        }
        match listing {
            Ok(None) => {}
            Ok(Some(Listing { tag, records })) if mirror.is_known && records == mirror.records => mirror.tag = Some(tag),
            Ok(Some(Listing { tag, records })) => {
                mirror.fault = None;
                let is_first = mirror.tag.replace(tag).is_none();
                mirror.is_known = true;
                mirror.records = records;
                if self.session.current().is_some() {
                    // Pieces of assets that are gone would be asked for in vain.
                    if !is_first {
                        self.session.reset_fetch(now);
                    }
                    self.take_up();
                }
            }
            Err(error) => {
                let fault = error.to_string();
                if mirror.fault.as_ref() != Some(&fault) {
                    tracing::warn!(page = self.page, error = fault, "the site's assets are not known; only what pages load is mirrored");
                    mirror.fault = Some(fault);
                }
            }
        }
    }

    /// Another version begins: what was listed counts as far as it is here, and the server is asked anew.
    pub(super) fn renew_listing(&mut self) {
        let (now, store) = (self.now(), &self.store);
        if let Some(mirror) = &mut self.mirror {
            mirror.records.retain(|record| store.is_whole(&record.digest));
            mirror.tag = None;
            mirror.is_stale = mirror.asking;
            mirror.ask_at = now;
        }
    }

    /// Fetches what the page's manifest names and then, for a mirror, everything else of the site, as far as the disk limit allows. What is not used any more
    /// is forgotten.
    pub(super) fn take_up(&mut self) {
        let Some(known) = self.session.current() else { return };
        let mut own = known.manifest.assets.clone();
        let named: BTreeSet<Digest> = own.iter().map(|record| record.digest).collect();
        let others = self.mirror.as_ref().map(Mirror::records).unwrap_or_default();
        let mut others: Vec<AssetRecord> = others.iter().filter(|record| !named.contains(&record.digest)).cloned().collect();
        let Some(disk) = self.disk.clone() else {
            self.add_records(&own);
            return self.add_records(&others);
        };
        let kept = disk.claim(&format!("{} {}", self.requests.origin.ascii(), self.page), &[own.as_slice(), &others].concat());
        let kept: BTreeSet<Digest> = kept.iter().map(|record| record.digest).collect();
        for records in [&mut own, &mut others] {
            records.retain(|record| kept.contains(&record.digest));
        }
        self.add_records(&own);
        self.add_records(&others);
        if self.mirror.as_ref().is_none_or(|mirror| mirror.is_known) {
            self.store.retain(|digest| kept.contains(digest));
            let store = &self.store;
            self.session.retain_held(|id| store.has(id));
            disk.sweep();
        }
    }
}
