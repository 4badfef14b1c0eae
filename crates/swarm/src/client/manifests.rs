//! The manifests that are known, the one that is looked for, and when the origin is asked for it.
//!
//! Drive it as [`client`](super) says.

#[cfg(test)]
mod tests;

use viral_wire::frame::Encoding;
use viral_wire::{Digest, Manifest, ManifestError, Piece, PieceId};

use super::config::{CROWD_MANIFEST_WAIT_MS, EARLY_BYTES_MAX, MANIFESTS_MAX, ORIGIN_PROBE_MS};
use crate::fetch::PeerKey;

/// What the host must do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestOutput {
    /// Ask the origin for this manifest; [`Manifests::handle_origin`] once it gave it or failed.
    Ask {
        /// Which.
        manifest: Digest,
    },
}

/// Which manifests a visitor takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManifestConfig {
    /// The page's app is taken, and not only single assets of it.
    pub takes_page: bool,
    /// Each new manifest that the tracker names is taken, too.
    pub follows: bool,
    /// The visit came with a ticket: it stays with the manifest that it was told, unless it follows.
    pub has_ticket: bool,
    /// Nobody had the app when this visitor came.
    pub in_crowd: bool,
}

/// A manifest that is looked for from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Another one was looked for until now, and was not here yet.
    pub renamed: bool,
    /// It is awaited from peers first; otherwise the origin is asked at once.
    pub awaited: bool,
}

/// A manifest and its blob.
#[derive(Debug)]
pub struct KnownManifest {
    /// Its name.
    pub digest: Digest,
    /// As it travels.
    pub blob: Vec<u8>,
    /// What it says.
    pub manifest: Manifest,
    /// Its distinct pieces in order of need.
    pub pieces: Vec<Piece>,
}

/// A piece as it came from a peer, not yet decoded or compared with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedPiece {
    /// From whom.
    pub peer: PeerKey,
    /// Its id, as the peer says.
    pub id: PieceId,
    /// How its body is encoded.
    pub encoding: Encoding,
    /// Its bytes as they came.
    pub body: Vec<u8>,
}

/// A few manifests, the page's own last, and the one that is looked for.
#[derive(Debug, Default)]
pub struct Manifests {
    config: ManifestConfig,
    /// Oldest first, at most [`MANIFESTS_MAX`].
    known: Vec<KnownManifest>,
    sought: Option<Digest>,
    /// The origin was asked for it and did not answer yet.
    asked: Option<Digest>,
    due: Option<u64>,
    /// What came before the manifest: whether it is of use is not known yet.
    early: Vec<ArrivedPiece>,
    early_len: usize,
    out: Option<ManifestOutput>,
}

impl Manifests {
    /// None is known. `sought`: what the visit was told; `wait_ms`: how long peers may take to give it before the origin is asked.
    #[must_use]
    pub fn new(config: ManifestConfig, sought: Option<Digest>, wait_ms: u64) -> Self {
        let due = sought.map(|_| wait_ms);
        Self { config, sought, due, ..Self::default() }
    }

    /// The page's manifest now.
    #[must_use]
    pub fn current(&self) -> Option<&KnownManifest> {
        self.known.last()
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&KnownManifest> {
        self.known.iter().find(|known| known.digest == *digest)
    }

    /// All that are known, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &KnownManifest> {
        self.known.iter()
    }

    /// The one that is looked for.
    #[must_use]
    pub fn sought(&self) -> Option<Digest> {
        self.sought
    }

    /// The one whose pieces are fetched, known yet or not.
    #[must_use]
    pub fn wanted(&self) -> Option<Digest> {
        self.sought.or_else(|| self.current().map(|known| known.digest))
    }

    /// The tracker names the page's manifest. `None`: nothing changes by that. Unless it is awaited the origin is asked at once.
    pub fn handle_named(&mut self, now: u64, manifest: Digest) -> Option<Named> {
        let ManifestConfig { takes_page, follows, has_ticket, in_crowd } = self.config;
        // What came with a full answer may be outdated by now. Who came with a ticket stays with what its visit named.
        let is_first = self.known.is_empty() && !has_ticket;
        if !takes_page || !(is_first || follows) || self.wanted() == Some(manifest) {
            return None;
        }
        let renamed = self.sought.replace(manifest).is_some();
        let awaited = in_crowd && is_first;
        if awaited {
            // Somebody who came a moment before may have it by now.
            self.due = Some(now + CROWD_MANIFEST_WAIT_MS);
        } else {
            self.ask(now);
        }
        Some(Named { renamed, awaited })
    }

    /// Nobody is there to wait for: the origin is asked for the sought manifest now, unless it was already, and again until somebody gives it.
    pub fn ask(&mut self, now: u64) {
        self.due = self.sought.map(|_| now + ORIGIN_PROBE_MS);
        if let Some(manifest) = self.sought.filter(|sought| self.asked != Some(*sought)) {
            self.asked = Some(manifest);
            self.out = Some(ManifestOutput::Ask { manifest });
        }
    }

    /// The origin gave a manifest, or failed to.
    pub fn handle_origin(&mut self, manifest: Digest) {
        self.asked = self.asked.filter(|asked| *asked != manifest);
    }

    /// A blob that matches its name is here. `None`: it is not the sought one. Otherwise it is the current one from now on, and the oldest beyond the limit is
    /// forgotten; whether it replaced another.
    ///
    /// # Errors
    /// When the blob is no manifest. It is looked for no longer.
    pub fn handle_given(&mut self, digest: Digest, blob: Vec<u8>) -> Option<Result<bool, ManifestError>> {
        self.sought.take_if(|sought| *sought == digest)?;
        self.due = None;
        let manifest = match Manifest::decode(&blob) {
            Ok(manifest) => manifest,
            Err(error) => return Some(Err(error)),
        };
        let replaced = !self.known.is_empty();
        self.known.retain(|known| known.digest != digest);
        if self.known.len() >= MANIFESTS_MAX {
            self.known.remove(0);
        }
        let pieces = manifest.distinct_pieces();
        self.known.push(KnownManifest { digest, blob, manifest, pieces });
        Some(Ok(replaced))
    }

    /// Whether pieces that come now are kept by [`Self::keep_early`] until the first manifest is here.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.known.is_empty() && self.sought.is_some()
    }

    /// Keeps a piece that came too early. False if there are more than an honest peer sends.
    pub fn keep_early(&mut self, piece: ArrivedPiece) -> bool {
        self.early_len += piece.body.len();
        let fits = self.early_len <= EARLY_BYTES_MAX;
        if fits {
            self.early.push(piece);
        }
        fits
    }

    /// Gives back what came too early.
    pub fn take_early(&mut self) -> Vec<ArrivedPiece> {
        self.early_len = 0;
        std::mem::take(&mut self.early)
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        if self.due.is_some_and(|due| due <= now) {
            self.ask(now);
        }
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<ManifestOutput> {
        self.out.take()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.due
    }
}
