//! One immutable state of the whole site: its assets by path and its pieces by id.

use std::{io, sync::Arc};

use bytes::Bytes;
use viral_wire::PieceId;

use super::{Asset, Object};

/// One immutable state of the site. Everything in it stays readable while it is held.
#[derive(Debug)]
pub struct Version {}

/// What a URL path leads to.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// This asset, status 200.
    Asset(Arc<Asset>),
    /// A directory named without its final slash: redirect to this path, to which the request's query must be added.
    Redirect(String),
    /// Nothing; with the site's `404.html` if it has one.
    NotFound(Option<Arc<Asset>>),
}

/// Where the bytes of a piece are. Keeps them readable.
#[derive(Debug, Clone)]
pub struct PieceLocation {
    object: Arc<Object>,
    offset: u64,
    len: u32,
}

impl PieceLocation {
    /// Raw length in bytes.
    pub fn len(&self) -> u32 {
        self.len
    }
}

impl Version {
    /// Its number, from 1, growing by one with each change of content.
    pub fn number(&self) -> u64 {
        todo!()
    }

    /// What a URL path (without query) leads to.
    pub fn resolve(&self, url_path: &str) -> Resolved {
        todo!()
    }

    /// The asset whose percent-encoded path this is, exactly: no directory index, no fallback.
    pub fn asset(&self, path: &str) -> Option<&Arc<Asset>> {
        todo!()
    }

    /// All assets, sorted by path.
    pub fn assets(&self) -> impl Iterator<Item = &Arc<Asset>> {
        std::iter::empty()
    }

    /// Bytes of all assets, as full answers send them before any content coding.
    pub fn bytes(&self) -> u64 {
        todo!()
    }

    /// Assets a document needs before `load`, found by static parse, in order of need, the document itself not included.
    ///
    /// Empty for anything but a document. Work is proportional to the references: keep the result per page.
    pub fn references(&self, document: &Asset) -> Vec<Arc<Asset>> {
        todo!()
    }

    /// Where a piece of any record of this version is.
    pub fn piece(&self, id: &PieceId) -> Option<PieceLocation> {
        todo!()
    }

    /// Whether any script or page of the site registers a service worker of its own.
    pub fn own_service_worker(&self) -> bool {
        todo!()
    }

    /// The raw bytes of a piece.
    ///
    /// # Errors
    /// When the object store cannot be read.
    pub async fn read_piece(&self, location: &PieceLocation) -> io::Result<Bytes> {
        todo!()
    }
}
