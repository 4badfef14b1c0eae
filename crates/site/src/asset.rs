//! One servable file of the site, and what is known of it when it is an HTML document.

use std::{io, sync::Arc, time::SystemTime};

use http::{HeaderName, HeaderValue, header};
use viral_wire::{AssetRecord, Digest, limits::RECORD_HEADERS_MAX};

use super::{
    Object,
    cache_control::{IMMUTABLE, REVALIDATE},
    document::{self, Document},
    limits::{DOCUMENT_LEN_MAX, SCRIPT_LEN_MAX, STYLE_LEN_MAX},
    looks::Seen,
    media::{self, Kind},
    mend::Made,
    mentions,
    object::Objects,
    path,
    references::{Reference, References},
    script, style,
};

/// Which body of a document is meant. Other assets have one body only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The file as the operator wrote it.
    Raw,
    /// The file with the viral addition at its end: what a full answer sends and a record describes.
    Full,
}

/// One servable file of the site.
#[derive(Debug, Clone)]
pub struct Asset {
    path: String,
    media_type: String,
    raw: Arc<Object>,
    full: Arc<Object>,
    document: Option<Document>,
    is_alien_text: bool,
    links: Vec<Reference>,
    seen: Arc<Seen>,
    downloads: Arc<[String]>,
    mentions: Arc<[u64]>,
    /// Whether answers carry the tag of its content: all but that of an addition, which has an address of its own.
    is_tagged: bool,
    modified: Option<SystemTime>,
    cache_control: &'static str,
    headers: Arc<Headers>,
    /// Whether another server answered it, whose headers are left as they are.
    is_answered: bool,
}

/// Headers the operator wants on every answer.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What is the same for all assets of a site.
#[derive(Debug)]
pub(super) struct BuildContext {
    /// Where content goes.
    pub(super) objects: Objects,
    /// Markup for the end of every document.
    pub(super) addition: Option<Arc<str>>,
    /// The operator's headers.
    pub(super) headers: Arc<Headers>,
    /// Paths whose content the operator says never changes.
    pub(super) immutable: Vec<String>,
}

/// How an asset is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'n> {
    /// Its path below the directory.
    pub(super) relative: &'n str,
    /// The name that tells its type: without the ending of a coding that was undone.
    pub(super) typed_as: &'n str,
    /// Where it really is, if it is a file.
    pub(super) real: Option<&'n std::path::Path>,
}

impl<'n> From<&'n str> for Name<'n> {
    fn from(relative: &'n str) -> Self {
        Self { relative, typed_as: relative, real: None }
    }
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
    ///
    /// Its headers are those that the app would see in an answer without a coding. Where the operator's own leave no room, entity tag and date are
    /// not among them.
    pub fn record(&self) -> AssetRecord {
        let tag = HeaderValue::try_from(entity_tag(self.full.digest(), "")).ok().filter(|_| self.is_tagged).map(|tag| (header::ETAG, tag));
        let date = self.modified().map(httpdate::HttpDate::from).and_then(|date| HeaderValue::try_from(date.to_string()).ok());
        let told = tag.into_iter().chain(date.map(|date| (header::LAST_MODIFIED, date)));
        let headers = self.headers().chain(told).take(RECORD_HEADERS_MAX);
        let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
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

    /// Whether this is a style sheet.
    pub(super) fn is_style(&self) -> bool {
        media::kind(self.media_type.split(';').next().unwrap_or_default()) == Kind::Style
    }

    /// What it refers to.
    pub(super) fn links(&self) -> &[Reference] {
        &self.links
    }

    /// The percent-encoded paths of what it refers to, as far as a static parse tells, whether or not the site has them.
    pub fn link_paths(&self) -> impl Iterator<Item = String> + '_ {
        self.links.iter().map(|link| path::encode(&link.target))
    }

    /// What it says of how pages look.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Relative paths of what it offers for saving, as links name them.
    pub(super) fn downloads(&self) -> &[String] {
        &self.downloads
    }

    /// The headers that matter wherever the content comes from: those of records and of answers alike.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
        let own = (!self.is_answered).then_some((self.cache_control, self.media_type.as_str()));
        standing(&self.headers, own)
    }

    /// The hashed names it mentions, see [`mentions`].
    pub(super) fn mentions(&self) -> &[u64] {
        &self.mentions
    }

    /// The `Cache-Control` value, where the operator gives none.
    pub(super) fn cache_control(&self) -> &'static str {
        self.cache_control
    }

    /// The same asset with another `Cache-Control`.
    pub(super) fn with_cache_control(&self, cache_control: &'static str) -> Self {
        Self { cache_control, ..self.clone() }
    }

    /// The operator's headers.
    pub(super) fn given_headers(&self) -> &Arc<Headers> {
        &self.headers
    }

    /// The same asset with other headers of the operator's.
    pub(super) fn with_headers(&self, headers: Arc<Headers>) -> Self {
        Self { headers, ..self.clone() }
    }

    /// Whether both would be answered alike.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        self.full.digest() == other.full.digest() && self.raw.digest() == other.raw.digest()
    }

    /// Makes the asset of this name from its stored content, reading what it refers to. Until [`Caching`](super::caching::Caching) judged the site it is one that browsers ask
    /// about. Blocks.
    ///
    /// # Errors
    /// When the object store cannot be read or written.
    pub(super) fn make<'n>(
        context: &BuildContext,
        name: impl Into<Name<'n>>,
        raw: Arc<Object>,
        modified: Option<SystemTime>,
    ) -> io::Result<Self> {
        let name = name.into();
        let essence = media::essence(name.typed_as);
        let kind = media::kind(essence);
        let text = if is_searched(essence, raw.len()) { Some(raw.blob().read_blocking(0..raw.len())?) } else { None };
        let mut asset = Self::unread(name, text.as_ref().is_some_and(|text| media::is_utf8(text)), raw);
        asset.modified = modified;
        asset.cache_control = REVALIDATE;
        asset.headers = Arc::clone(&context.headers);
        if let Some(text) = text {
            asset.read(context, name, kind, &text)?;
        }
        Ok(asset)
    }

    /// Makes the asset of what another server answered at this relative path. Blocks.
    ///
    /// # Errors
    /// When the object store cannot be read or written.
    pub(super) fn of_answer(
        context: &BuildContext,
        relative: &str,
        (media_type, headers, modified): (String, Headers, Option<SystemTime>),
        raw: Arc<Object>,
    ) -> io::Result<Self> {
        let essence = media::bare(&media_type).to_ascii_lowercase();
        let kind = media::kind(&essence);
        let text = if kind != Kind::Other && raw.len() <= SCRIPT_LEN_MAX { Some(raw.blob().read_blocking(0..raw.len())?) } else { None };
        let mut asset = Self::unread(relative.into(), false, raw);
        asset.is_answered = true;
        asset.modified = modified;
        asset.headers = Arc::new(headers);
        asset.media_type = media_type;
        if let Some(text) = text {
            asset.read(context, relative.into(), kind, &text)?;
        }
        let declares_other = media::charset(&asset.media_type).is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8"));
        if let Some(document) = asset.document.as_mut().filter(|_| declares_other) {
            document.utf8 = false;
        }
        Ok(asset)
    }

    /// Takes note of what its text refers to and says.
    fn read(&mut self, context: &BuildContext, name: Name<'_>, kind: Kind, text: &[u8]) -> io::Result<()> {
        if kind != Kind::Other {
            self.mentions = mentions::in_text(text, kind == Kind::Script).into();
        }
        match kind {
            Kind::Html => self.read_document(context, name, text)?,
            Kind::Style if self.len() <= STYLE_LEN_MAX => {
                let mut links = References::of(name.relative);
                let css = String::from_utf8_lossy(text);
                style::references(&css, &mut links);
                self.links = links.into_vec();
                self.seen = Arc::new(Seen::of_css(&css));
            }
            Kind::Script => {
                let mut links = References::of(name.relative);
                script::references(&String::from_utf8_lossy(text), &mut links);
                self.links = links.into_vec();
            }
            Kind::Style | Kind::Other => {}
        }
        Ok(())
    }

    /// The script of an addition: what its address names never changes, and the operator's headers are for the site's own files.
    pub(super) fn of_addition(relative: &str, raw: Arc<Object>) -> Self {
        Self { is_tagged: false, ..Self::unread(relative.into(), true, raw) }
    }

    /// What stands for pages that never travel themselves.
    pub(super) fn of_personal(relative: &str, raw: Arc<Object>) -> Self {
        let mut asset = Self::unread(relative.into(), true, raw);
        asset.media_type = "text/html; charset=utf-8".to_owned();
        asset.cache_control = REVALIDATE;
        asset.document =
            Some(Document { title: None, viewport: None, utf8: true, meta_csp: Vec::new(), import_map: false, meta_refresh: false });
        asset
    }

    /// What can be said of an asset without reading it.
    fn unread(name: Name<'_>, is_utf8: bool, raw: Arc<Object>) -> Self {
        Self {
            path: path::encode(name.relative),
            media_type: media::content_type(media::essence(name.typed_as), is_utf8),
            full: Arc::clone(&raw),
            raw,
            document: None,
            is_alien_text: false,
            links: Vec::new(),
            seen: Arc::default(),
            downloads: Arc::default(),
            mentions: Arc::default(),
            is_tagged: true,
            modified: None,
            cache_control: IMMUTABLE,
            headers: Arc::default(),
            is_answered: false,
        }
    }

    fn read_document(&mut self, context: &BuildContext, name: Name<'_>, html: &[u8]) -> io::Result<()> {
        if self.len() > DOCUMENT_LEN_MAX {
            return Ok(());
        }
        let Some(analysis) = document::analyse(html, name.relative) else {
            self.is_alien_text = true;
            return Ok(());
        };
        if let Some(addition) = &context.addition {
            let (head, tail) = html.split_at(analysis.insertion);
            let full = [head, addition.as_bytes(), tail].concat();
            self.full = Object::from_reader(&context.objects, &full[..], full.len() as u64)?;
            if let Some(real) = name.real {
                self.full.come_from(real, Made::Inserted(analysis.insertion as u64, Arc::clone(addition)));
            }
        }
        self.links = analysis.links;
        self.seen = Arc::new(analysis.seen);
        self.downloads = analysis.downloads.into();
        self.document = Some(analysis.document);
        Ok(())
    }
}

/// The headers of every answer of an asset: those that were `given`, and of `own`, a `Cache-Control` and the media type, what is not among them.
pub(super) fn standing<'h>(
    given: &'h Headers,
    own: Option<(&'static str, &str)>,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<'h> {
    let own = own.map_or([None, None], |(cache_control, media_type)| {
        // Of what nobody knows the type, browsers must find out: `<script src=/loader>`.
        let nosniff = media::is_known(media_type).then(|| (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
        [Some((header::CACHE_CONTROL, HeaderValue::from_static(cache_control))), nosniff]
    });
    let is_given = |name: &HeaderName| given.iter().any(|(given, _)| given == name);
    own.into_iter().flatten().filter(move |(name, _)| !is_given(name)).chain(given.iter().cloned())
}

/// Whether all of a text is looked at, to tell its charset too.
pub(super) fn is_searched(essence: &str, len: u64) -> bool {
    media::is_text(essence) && len <= SCRIPT_LEN_MAX
}

/// The entity tag of content in a coding of this suffix, with its quotes.
pub(super) fn entity_tag(digest: Digest, suffix: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let named = &digest.as_bytes()[..16];
    let mut tag = String::with_capacity(2 * named.len() + suffix.len() + 2);
    tag.push('"');
    tag.extend(named.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| DIGITS[usize::from(half)]));
    tag.push_str(suffix);
    tag.push('"');
    tag
}
