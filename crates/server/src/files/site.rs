//! A site: where its files come from, and its versions.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use tokio::sync::watch;

use super::{PieceLocation, SiteError, Version};
use viral_wire::PieceId;

/// Where the files of a site come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A directory on disk, watched for changes.
    Directory(PathBuf),
    /// Files compiled into or made by the program; they never change.
    Embedded(Vec<EmbeddedFile>),
}

/// One file that does not come from disk.
#[derive(Debug, Clone)]
pub struct EmbeddedFile {
    /// Relative path with `/` between segments, not percent-encoded: `assets/app.js`.
    pub path: String,
    /// The content.
    pub body: Bytes,
}

/// How a site is served. `SiteOptions::default()` is a plain static site with nothing added.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Answer navigations to unknown paths without an extension with `/index.html` and status 200.
    pub spa: bool,
    /// Headers on every answer, and in every asset record.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Where copies of large assets are kept while running; a fresh temporary directory if none.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of assets and encoded variants held in memory, together.
    pub memory_len_max: u64,
    /// Files and directories below the directory, together.
    pub entries_max: usize,
    /// Markup put at the end of every HTML document: the script tag of the viral addition.
    pub html_addition: Option<String>,
}

/// Everything about one directory or embedded list. Dropping it ends the watching.
#[derive(Debug)]
pub struct Site {}

impl Site {
    /// Reads `source` and begins to watch it. Returns once the first version can be served.
    ///
    /// # Errors
    /// [`SiteError`] when the source cannot be read, is too large, or the options contradict themselves.
    pub async fn open(source: Source, options: SiteOptions) -> Result<Arc<Self>, SiteError> {
        todo!()
    }

    /// The version new visitors get. Take it once per request, so that one answer never mixes versions.
    pub fn current(&self) -> Arc<Version> {
        todo!()
    }

    /// A version by its number, while it is among the last [`VERSIONS_KEPT`](super::VERSIONS_KEPT).
    pub fn version(&self, number: u64) -> Option<Arc<Version>> {
        todo!()
    }

    /// A piece of the current version, or of an older one that is still kept.
    pub fn piece(&self, id: &PieceId) -> Option<PieceLocation> {
        todo!()
    }

    /// The number of the current version; changes when content changed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        todo!()
    }
}
