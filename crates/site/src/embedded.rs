//! Files that are part of the program as a site.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{EmbeddedFile, Site, SiteError, SiteOptions, Version, VersionMaker, blocking::blocking};

/// Files compiled into or made by the program; they never change.
#[derive(Debug)]
pub struct EmbeddedSite {
    versions: Arc<Vec<Arc<Version>>>,
    number: watch::Sender<u64>,
}

impl EmbeddedSite {
    /// A site of these files. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SiteError`] when no URL path reaches a file, or the options contradict themselves.
    pub async fn open(files: Vec<EmbeddedFile>, options: SiteOptions) -> Result<Self, SiteError> {
        let version = blocking(move || VersionMaker::new(options)?.version(files)).await??;
        tracing::info!(version = 1, assets = version.assets().count(), bytes = version.bytes(), "site is ready");
        Ok(Self { number: watch::Sender::new(version.number()), versions: Arc::new(vec![Arc::new(version)]) })
    }
}

impl Site for EmbeddedSite {
    fn versions(&self) -> Arc<Vec<Arc<Version>>> {
        Arc::clone(&self.versions)
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }
}
