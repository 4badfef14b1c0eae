//! The directory as it is on disk: what a path leads to, and how that must be read, as the first version of the site will say it.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    asset::is_searched,
    compress::{Coding, decode, unpacked_len},
    entry::stands_alone,
    limits::EARLY_PACKED_MAX,
    media,
    resolve::{Led, NOT_FOUND_PAGE, Paths},
    rules::{HEADERS_FILE, REDIRECTS_FILE, Rules, of_folder},
    scan::Stamp,
};

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Directory {
    /// Where it really is.
    root: PathBuf,
    spa: bool,
    /// Those of its own file that are followed before it is read.
    rules: Rules,
    /// What compressed files hold that stand alone, by real path: all of one must be unpacked to know.
    packed: Mutex<HashMap<PathBuf, (Stamp, Option<Packed>)>>,
}

/// A file that is served.
#[derive(Debug)]
pub(super) struct Content {
    /// Its path below the directory.
    pub(super) relative: String,
    pub(super) file: File,
    /// Bytes of the file.
    pub(super) len: u64,
    /// The whole `Content-Type` value.
    pub(super) media_type: String,
    /// The coding it is in and the bytes that it holds, where it is served as that.
    pub(super) packed: Option<(Coding, u64)>,
}

/// What a compressed file holds.
#[derive(Debug, Clone, Copy)]
struct Packed {
    len: u64,
    is_utf8: bool,
}

impl Directory {
    /// # Errors
    /// When there is no such directory, or what it says of itself cannot be followed, which the reading tells.
    pub(super) fn new(dir: PathBuf, spa: bool) -> io::Result<Self> {
        let root = fs::canonicalize(dir)?;
        let rules = of_folder(&root).map_err(io::Error::other)?;
        Ok(Self { root, spa, rules, packed: Mutex::default() })
    }

    /// The rules of its own files.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a URL path leads to, if somebody `goes_there` or a page needs it. Redirects are those of the directory if they are `ruled`. Blocks.
    pub(super) fn find(&self, url_path: &str, goes_there: bool, ruled: bool) -> Option<Led<Content>> {
        let (file, none) = (|relative: &str| self.file(relative), Rules::default());
        let rules = if ruled { &self.rules } else { &none };
        let paths = Paths { base: "", spa: self.spa, exact: false, rules, file: &file };
        if goes_there { paths.find_visit(url_path) } else { paths.find(url_path) }
    }

    /// The site's own page for what is not there. Blocks.
    pub(super) fn not_found_page(&self) -> Option<Content> {
        self.file(NOT_FOUND_PAGE)
    }

    /// The file of this name, unless it is outside of the directory.
    fn file(&self, relative: &str) -> Option<Content> {
        if matches!(relative, HEADERS_FILE | REDIRECTS_FILE) {
            return None;
        }
        let real = self.real(relative)?;
        let mut file = File::open(&real).ok()?;
        let metadata = file.metadata().ok()?;
        let len = metadata.len();
        if let Some(coding) = stands_alone(relative, |plain| self.real(plain).is_some()) {
            let plain = relative.rsplit_once('.').map_or(relative, |(plain, _)| plain);
            let essence = media::essence(plain);
            if let Some(packed) = self.packed(&real, Stamp::of(&metadata), coding, essence) {
                let media_type = media::content_type(essence, packed.is_utf8);
                let relative = relative.to_owned();
                return Some(Content { relative, file, len, media_type, packed: Some((coding, packed.len)) });
            }
        }
        let essence = media::essence(relative);
        let is_utf8 = is_searched(essence, len) && media::reads_utf8((&mut file).take(len)).ok()?;
        file.rewind().ok()?;
        Some(Content { relative: relative.to_owned(), file, len, media_type: media::content_type(essence, is_utf8), packed: None })
    }

    /// Where a file of this name really is.
    fn real(&self, relative: &str) -> Option<PathBuf> {
        let real = fs::canonicalize(self.root.join(relative)).ok().filter(|real| real.starts_with(&self.root))?;
        fs::metadata(&real).ok()?.is_file().then_some(real)
    }

    /// What a file holds in a coding; none if it is not in it. Whoever asks meanwhile waits for it, so that each is unpacked once.
    fn packed(&self, real: &Path, stamp: Stamp, coding: Coding, essence: &str) -> Option<Packed> {
        let mut known = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, packed)) = known.get(real)
            && *then == stamp
        {
            return *packed;
        }
        let packed = unpack(real, coding, essence).ok();
        if known.len() < EARLY_PACKED_MAX || known.contains_key(real) {
            known.insert(real.to_owned(), (stamp, packed));
        }
        packed
    }
}

fn unpack(real: &Path, coding: Coding, essence: &str) -> io::Result<Packed> {
    let len = unpacked_len(coding, File::open(real)?)?;
    let is_utf8 = is_searched(essence, len) && media::reads_utf8(decode(coding, File::open(real)?)?.take(len))?;
    Ok(Packed { len, is_utf8 })
}
