//! Where a server gets its site from.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use crate::{
    DirectorySite, EmbeddedFile, EmbeddedSite, Site, SiteError, SiteOptions,
    early::{Early, EarlyDirectory},
};

/// A site that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn Site>, SiteError>> + Send>>;

/// Whatever opens a site: a [`Source`], or a source of your own.
///
/// The server says by the options what every document must have at its end; [`VersionMaker`](crate::VersionMaker) puts it there.
pub trait OpenSite: Send {
    /// Opens it. Ends once the first version can be served.
    fn open(self: Box<Self>, options: SiteOptions) -> Opening;

    /// Answers plainly until it is open, where anything can.
    fn early(&self, _options: &SiteOptions) -> Option<Arc<dyn Early>> {
        None
    }

    /// The folder that is served, in which nothing private may lie. What is learned of pages is kept over a restart only for a site that names one.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// Where the files of a site come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A directory on disk, watched for changes.
    Directory(PathBuf),
    /// Files compiled into or made by the program; they never change.
    Embedded(Vec<EmbeddedFile>),
}

impl OpenSite for Source {
    fn open(self: Box<Self>, options: SiteOptions) -> Opening {
        Box::pin(async move {
            Ok(match *self {
                Self::Directory(dir) => Arc::new(DirectorySite::open(dir, options).await?) as Arc<dyn Site>,
                Self::Embedded(files) => Arc::new(EmbeddedSite::open(files, options).await?),
            })
        })
    }

    fn early(&self, options: &SiteOptions) -> Option<Arc<dyn Early>> {
        match self {
            Self::Directory(dir) => Some(Arc::new(EarlyDirectory::new(dir.clone(), options.clone()).ok()?)),
            Self::Embedded(_) => None,
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Directory(dir) => Some(dir),
            Self::Embedded(_) => None,
        }
    }
}
