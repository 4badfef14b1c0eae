//! One servable file of the site, and what is known of it when it is an HTML document.

use std::{io, sync::Arc, time::SystemTime};

use http::{HeaderName, HeaderValue, header};
use viral_wire::{AssetRecord, Digest};

use super::{
    Object, caching, document,
    limits::{DOCUMENT_LEN_MAX, SCRIPT_LEN_MAX, STYLE_LEN_MAX},
    links::{Link, Links},
    media::{self, Kind},
    path, script,
    store::Store,
    style,
};

/// Which body of a document is meant. Other assets have one body only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The file as the operator wrote it.
    Raw,
    /// The file with the viral addition at its end: what a full answer sends and a record describes.
    Full,
}

/// What the server knows of an HTML document before any browser read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Text of the first `<title>`, trimmed.
    pub title: Option<String>,
    /// Content of the first `<meta name=viewport>`: how wide a phone lays the page out.
    pub viewport: Option<String>,
    /// Whether it is valid UTF-8 and so is sent as `text/html; charset=utf-8`.
    pub utf8: bool,
    /// Content of every `<meta http-equiv=content-security-policy>`, in order.
    pub meta_csp: Vec<String>,
    /// Whether it has an import map.
    pub import_map: bool,
    /// Whether it has a `<meta http-equiv=refresh>`.
    pub meta_refresh: bool,
}

/// One servable file of the site.
#[derive(Debug)]
pub struct Asset {
    path: String,
    media_type: String,
    raw: Arc<Object>,
    full: Arc<Object>,
    document: Option<Document>,
    is_alien_text: bool,
    links: Vec<Link>,
    own_service_worker: bool,
    modified: Option<SystemTime>,
    cache_control: &'static str,
    headers: Arc<Headers>,
}

/// Headers the operator wants on every answer.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What is the same for all assets of a site.
#[derive(Debug)]
pub(super) struct Making {
    /// Where content goes.
    pub(super) store: Arc<Store>,
    /// Markup for the end of every document.
    pub(super) addition: Option<String>,
    /// The operator's headers.
    pub(super) headers: Arc<Headers>,
}

impl Asset {
    /// Percent-encoded URL path, as a browser writes it: `/assets/a%20b.js`. A directory index keeps its `index.html`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole `Content-Type` value.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Bytes of the raw body.
    pub fn len(&self) -> u64 {
        self.raw.len()
    }

    /// Whether the raw body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Digest of the raw body.
    pub fn digest(&self) -> Digest {
        self.raw.digest()
    }

    /// The stored content of one body.
    pub fn object(&self, which: Which) -> &Arc<Object> {
        match which {
            Which::Raw => &self.raw,
            Which::Full => &self.full,
        }
    }

    /// The record as it stands in a manifest; of a document it describes [`Which::Full`].
    pub fn record(&self) -> AssetRecord {
        let headers = self.headers().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        AssetRecord {
            path: self.path.clone(),
            media_type: self.media_type.clone(),
            headers: headers.collect(),
            len: self.full.len(),
            digest: self.full.digest(),
            pieces: self.full.pieces().to_vec(),
        }
    }

    /// Whether this is an HTML document.
    pub fn is_document(&self) -> bool {
        self.document.is_some()
    }

    /// Whether a browser shows it as a page, also where it cannot travel as a [`Document`]: too long, in UTF-16, or XHTML.
    pub fn is_page(&self) -> bool {
        media::is_page(&self.media_type)
    }

    /// Whether nothing can be added to it because of how its text is encoded.
    pub fn is_alien_text(&self) -> bool {
        self.is_alien_text
    }

    /// What is known of it as an HTML document.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// When the file was changed; `None` for documents that an addition belongs to, whose bodies change with it.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.modified.filter(|_| Arc::ptr_eq(&self.raw, &self.full))
    }

    /// Whether it registers a service worker of the site's own.
    pub(super) fn own_service_worker(&self) -> bool {
        self.own_service_worker
    }

    /// What it refers to.
    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// The headers that matter wherever the content comes from: those of records and of answers alike.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
        let own = [
            (header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        let given = |name: &HeaderName| self.headers.iter().any(|(given, _)| given == name);
        own.into_iter().filter(move |(name, _)| !given(name)).chain(self.headers.iter().cloned())
    }

    /// Whether both would be answered alike.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        self.full.digest() == other.full.digest() && self.raw.digest() == other.raw.digest()
    }

    /// Makes the asset at a relative path from its stored content, reading what it refers to. Blocks.
    ///
    /// # Errors
    /// When the object store cannot be read or written.
    pub(super) fn make(making: &Making, relative: &str, raw: Arc<Object>, modified: Option<SystemTime>) -> io::Result<Self> {
        let essence = media::essence(relative);
        let kind = media::kind(essence);
        let text = if kind != Kind::Other || media::is_text(essence) { text_of(&raw)? } else { None };
        let mut asset = Self::unread(relative, text.as_ref().is_some_and(|text| std::str::from_utf8(text).is_ok()), raw);
        asset.modified = modified;
        asset.cache_control = caching::cache_control(relative, kind == Kind::Html);
        asset.headers = Arc::clone(&making.headers);
        let Some(text) = text else { return Ok(asset) };
        match kind {
            Kind::Html => asset.read_document(making, relative, &text)?,
            Kind::Style if asset.len() <= STYLE_LEN_MAX => {
                let mut links = Links::of(relative);
                style::references(&String::from_utf8_lossy(&text), &mut links);
                asset.links = links.into_vec();
            }
            Kind::Script => {
                let mut links = Links::of(relative);
                script::references(&String::from_utf8_lossy(&text), &mut links);
                asset.links = links.into_vec();
                asset.own_service_worker = script::registers_service_worker(&text);
            }
            Kind::Style | Kind::Other => {}
        }
        Ok(asset)
    }

    /// The script of an addition: what its address names never changes, and the operator's headers are for the site's own files.
    pub(super) fn of_addition(relative: &str, raw: Arc<Object>) -> Self {
        Self::unread(relative, true, raw)
    }

    /// What can be said of an asset without reading it.
    fn unread(relative: &str, is_utf8: bool, raw: Arc<Object>) -> Self {
        Self {
            path: path::encode(relative),
            media_type: media::content_type(media::essence(relative), is_utf8),
            full: Arc::clone(&raw),
            raw,
            document: None,
            is_alien_text: false,
            links: Vec::new(),
            own_service_worker: false,
            modified: None,
            cache_control: caching::IMMUTABLE,
            headers: Arc::default(),
        }
    }

    fn read_document(&mut self, making: &Making, relative: &str, html: &[u8]) -> io::Result<()> {
        if self.len() > DOCUMENT_LEN_MAX {
            return Ok(());
        }
        let Some(analysis) = document::analyse(html, relative) else {
            self.is_alien_text = true;
            return Ok(());
        };
        if let Some(addition) = &making.addition {
            let (head, tail) = html.split_at(analysis.insertion);
            let full = [head, addition.as_bytes(), tail].concat();
            self.full = Object::from_reader(&making.store, &full[..], full.len() as u64)?;
        }
        self.own_service_worker = script::registers_service_worker(html);
        self.links = analysis.links;
        self.document = Some(analysis.document);
        Ok(())
    }
}

/// The content, unless it is so large that searching it would hold up the scan.
fn text_of(object: &Object) -> io::Result<Option<bytes::Bytes>> {
    if object.len() > SCRIPT_LEN_MAX { Ok(None) } else { object.blob().read_blocking(0..object.len()).map(Some) }
}
