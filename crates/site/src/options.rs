//! How a site is served, and what cannot be asked for.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use viral_wire::PERSONAL_PATH;

use crate::{
    Asset, Object, SiteError,
    asset::BuildContext,
    limits::{ENTRIES_MAX, MEMORY_LEN_MAX},
    object::Objects,
    operator_headers::check_headers,
    store::Store,
    version::SiteSettings,
};

/// One file that does not come from disk.
#[derive(Debug, Clone)]
pub struct EmbeddedFile {
    /// Relative path with `/` between segments, not percent-encoded: `assets/app.js`.
    pub path: String,
    /// The content.
    pub body: Bytes,
}

/// What is put into every HTML document.
#[derive(Debug, Clone)]
pub struct Addition {
    /// Markup for its end: a script tag.
    pub markup: String,
    /// The script that this asks for. It travels with every document, though it is no file of the site.
    pub script: EmbeddedFile,
}

/// How a site is served. `SiteOptions::default()` is a plain static site with nothing added.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// What the URL paths of all files begin with, without its first slash: empty, or `app/`.
    pub base: String,
    /// Answer navigations to unknown paths without an extension with `/index.html` and status 200.
    pub spa: bool,
    /// Headers on every answer, and in every asset record.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Paths whose content never changes, so that browsers keep it for a year without asking: `/assets/*`, where `*` stands for any characters. Not of
    /// pages, and not of a path that was seen to change.
    pub immutable: Vec<String>,
    /// Where copies of large assets are kept while running, read by this user alone. If none, what systemd made for the program, else the user's cache
    /// directory, else the system's temporary one.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of assets and their coded forms held in memory, together.
    pub memory_len_max: u64,
    /// Files and directories below the directory, together.
    pub entries_max: usize,
    /// What is put at the end of every HTML document: the viral addition.
    pub html_addition: Option<Addition>,
    /// Each path leads to what was answered at just this path, and to nothing else: no folder's index by another name, no merged slashes, no page for what is not there.
    pub exact_paths: bool,
    /// Another service makes pages for each visitor, whose parts may travel. See [`Version::personal`](crate::Version::personal).
    pub personal_pages: bool,
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            base: String::new(),
            spa: false,
            headers: Vec::new(),
            immutable: Vec::new(),
            cache_dir: None,
            memory_len_max: MEMORY_LEN_MAX,
            entries_max: ENTRIES_MAX,
            html_addition: None,
            exact_paths: false,
            personal_pages: false,
        }
    }
}

/// The options as the parts of a site need them.
#[derive(Debug)]
pub(crate) struct Settings {
    /// For its assets.
    pub(crate) context: BuildContext,
    /// For its versions.
    pub(crate) settings: SiteSettings,
}

impl Settings {
    /// Checks the options and makes a store. Blocks.
    ///
    /// # Errors
    /// When they contradict themselves, or the store cannot be made.
    pub(crate) fn of(options: SiteOptions) -> Result<Self, SiteError> {
        check_headers(&options.headers)?;
        let headers = Arc::new(options.headers);
        let objects = Objects::new(Store::open(options.cache_dir.as_deref(), options.memory_len_max)?);
        let (markup, script) = options.html_addition.map(|addition| (Arc::from(addition.markup), addition.script)).unzip();
        let addition = script.map(|script| script_of(&objects, script)).transpose()?;
        let personal = options.personal_pages.then(|| personal_of(&objects, &options.base)).transpose()?;
        let settings = SiteSettings {
            base: options.base.into(),
            spa: options.spa,
            exact_paths: options.exact_paths,
            headers: Arc::clone(&headers),
            addition,
            personal,
        };
        Ok(Self { context: BuildContext { objects, addition: markup, headers, immutable: options.immutable }, settings })
    }
}

/// What stands for all pages that are made for each visitor.
///
/// # Errors
/// When the object store cannot be written.
fn personal_of(objects: &Objects, base: &str) -> Result<Arc<Asset>, SiteError> {
    let raw = Object::from_bytes(objects, Bytes::new()).map_err(|error| SiteError::Store { path: objects.path().to_owned(), error })?;
    Ok(Arc::new(Asset::of_personal(&format!("{base}{}", PERSONAL_PATH.trim_start_matches('/')), raw)))
}

/// The script of an addition.
///
/// # Errors
/// When the object store cannot be written.
fn script_of(objects: &Objects, script: EmbeddedFile) -> Result<Arc<Asset>, SiteError> {
    let raw = Object::from_bytes(objects, script.body).map_err(|error| SiteError::Store { path: objects.path().to_owned(), error })?;
    Ok(Arc::new(Asset::of_addition(&script.path, raw)))
}
