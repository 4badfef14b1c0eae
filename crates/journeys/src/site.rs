//! Sites made for one journey, in a temporary folder, with the same bytes in every run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A directory to serve, and what each file in it must be.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    digests: BTreeMap<String, String>,
    len: u64,
}

/// The app most journeys use: a document, a style sheet, a script and `parts` binary assets that the page loads before `load`.
///
/// Its page sets `window.app = { done, version, versions, digests, loads }` once it has run: `versions` holds what each
/// script and each part says its version is, `digests` the SHA-256 of every asset as the page's own `fetch` read it.
#[derive(Debug, Clone)]
pub struct App {
    /// Written into every file that differs from version to version.
    pub version: &'static str,
    /// How many binary assets.
    pub parts: usize,
    /// Length of each, in bytes.
    pub part_len: usize,
    /// How many of them differ from version to version; the rest are the same in each.
    pub changing_parts: usize,
    /// Markup for the document's head.
    pub head: String,
    /// The script is a module found through an import map.
    pub has_import_map: bool,
}

impl Default for App {
    fn default() -> Self {
        Self { version: "v1", parts: 6, part_len: 512 * 1024, changing_parts: 1, head: String::new(), has_import_map: false }
    }
}

impl App {
    /// This app in a fresh folder.
    #[must_use]
    pub fn site(&self) -> Site {
        let mut site = Site::empty();
        site.write_app("", self);
        site
    }

    /// Paths of the binary assets below `folder`.
    fn part_paths(&self, folder: &str) -> Vec<String> {
        (0..self.parts).map(|part| format!("{folder}/parts/{part}.bin")).collect()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::empty()
    }
}

impl Site {
    /// An empty folder.
    ///
    /// # Panics
    /// When there is no place for one.
    #[must_use]
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder for a site");
        Self { folder, digests: BTreeMap::new(), len: 0 }
    }

    /// The directory to serve.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// SHA-256 in hex of each file that is no document, by its URL path.
    #[must_use]
    pub fn digests(&self) -> &BTreeMap<String, String> {
        &self.digests
    }

    /// Writes one file; `path` is its URL path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&mut self, path: &str, body: impl AsRef<[u8]>) {
        let file = self.folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        // Renamed into place, as a deploy would: a server never reads half a file.
        let half = file.with_extension("half");
        std::fs::write(&half, body.as_ref()).expect("a file");
        std::fs::rename(&half, &file).expect("a file in its place");
        self.len += body.as_ref().len() as u64;
        // The server adds to documents, so only it knows their digest.
        let is_document = file.extension().is_some_and(|extension| extension == "html");
        if !is_document {
            self.digests.insert(path.to_owned(), sha256(body.as_ref()));
        }
    }

    /// Makes every file look as if it had been deployed `age` ago.
    ///
    /// # Panics
    /// When a file cannot be touched.
    pub fn backdate(&self, age: Duration) {
        let when = SystemTime::now().checked_sub(age).expect("the clock is past the epoch");
        for path in self.digests.keys().map(String::as_str).chain(["/index.html"]) {
            let file = File::options().append(true).open(self.folder().join(path.trim_start_matches('/'))).expect("a file of the site");
            file.set_modified(when).expect("a time");
        }
    }

    /// Writes `app` with its document at `folder/index.html`; the bytes of a part depend on its number, and of the
    /// changing ones also on the version, not on the folder.
    pub fn write_app(&mut self, folder: &str, app: &App) {
        for (part, path) in app.part_paths(folder).iter().enumerate() {
            let changes = part < app.changing_parts;
            let seed = if changes { seed_of(app.version, part) } else { seed_of("every version", part) };
            self.write(path, noise(seed, app.part_len));
        }
        self.write(&format!("{folder}/style.css"), style(app));
        self.write(&format!("{folder}/version.js"), version_script(app));
        self.write(&format!("{folder}/main.js"), main_script(app, folder));
        self.write(&format!("{folder}/index.html"), document(app, folder));
    }

    /// Digests of the files below `folder`, as the page's `window.app.digests` must list them.
    #[must_use]
    pub fn digests_below(&self, folder: &str) -> BTreeMap<String, String> {
        let prefix = format!("{folder}/");
        let below = self.digests.iter().filter(|(path, _)| path.starts_with(&prefix));
        below.map(|(path, digest)| (path.clone(), digest.clone())).collect()
    }
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `len` bytes that no compressor makes smaller, the same for the same seed (xorshift64*).
#[must_use]
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn seed_of(version: &str, part: usize) -> u64 {
    version.bytes().fold(part as u64 + 1, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(17))
}

fn document(app: &App, folder: &str) -> String {
    let mut head = app.head.clone();
    for path in app.part_paths(folder) {
        let _ = writeln!(head, r#"<link rel="preload" as="fetch" crossorigin href="{path}">"#);
    }
    let script = if app.has_import_map {
        format!(
            r#"<script type="importmap">{{ "imports": {{ "the-app": "{folder}/main.js" }} }}</script>
<script src="{folder}/version.js"></script>
<script type="module">import 'the-app';</script>"#
        )
    } else {
        format!(r#"<script src="{folder}/version.js"></script><script src="{folder}/main.js"></script>"#)
    };
    format!(
        r#"<!doctype html>
<html lang="en" data-version="{version}">
<head>
<meta charset="utf-8">
<title>App {version}</title>
<link rel="stylesheet" href="{folder}/style.css">
{head}</head>
<body>
<h1>App {version} — ünïcödé ✓</h1>
<p id="out">not yet</p>
{script}
</body>
</html>
"#,
        version = app.version,
    )
}

fn style(app: &App) -> String {
    format!("h1 {{ color: rgb(1, 2, 3); --version: {}; }}\n", app.version)
}

fn version_script(app: &App) -> String {
    format!("window.scriptVersion = '{}';\n", app.version)
}

fn main_script(app: &App, folder: &str) -> String {
    let mut paths = app.part_paths(folder);
    paths.extend(["style.css", "version.js", "main.js"].map(|name| format!("{folder}/{name}")));
    let paths = paths.iter().map(|path| format!("'{path}'")).collect::<Vec<_>>().join(", ");
    let version = app.version;
    let script = include_str!("site/main.js");
    script.replace("__VERSION__", version).replace("__PATHS__", &paths)
}
