//! The manifests a peer knows: the page's own, last, and those of earlier deploys.

use bytes::Bytes;
use viral_wire::{Digest, Manifest, ManifestError, Piece};

use crate::limits::MANIFESTS_MAX;

/// A manifest and its blob.
#[derive(Debug)]
pub(crate) struct KnownManifest {
    pub(crate) digest: Digest,
    pub(crate) blob: Bytes,
    pub(crate) manifest: Manifest,
    /// Its distinct pieces in order of need.
    pub(crate) pieces: Vec<Piece>,
}

/// A few of them; the newest is the last.
#[derive(Debug, Default)]
pub(crate) struct Manifests(Vec<KnownManifest>);

impl Manifests {
    /// The page's manifest now.
    pub(crate) fn current(&self) -> Option<&KnownManifest> {
        self.0.last()
    }

    /// The one of this name.
    pub(crate) fn get(&self, digest: &Digest) -> Option<&KnownManifest> {
        self.0.iter().find(|known| known.digest == *digest)
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &KnownManifest> {
        self.0.iter()
    }

    /// Makes a blob, verified against `digest`, the current manifest. The oldest beyond the limit is forgotten.
    pub(crate) fn insert(&mut self, digest: Digest, blob: Bytes) -> Result<&KnownManifest, ManifestError> {
        let manifest = Manifest::decode(&blob)?;
        self.0.retain(|known| known.digest != digest);
        if self.0.len() >= MANIFESTS_MAX {
            self.0.remove(0);
        }
        let pieces = manifest.distinct_pieces();
        self.0.push(KnownManifest { digest, blob, manifest, pieces });
        Ok(self.0.last().expect("one was pushed"))
    }
}
