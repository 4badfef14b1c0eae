//! What is asked for, and how.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use viral_journeys::browser::USER_AGENT;
use viral_journeys::site::{Site, noise};

/// Lengths of the assets, in KiB, and the least ratio to nginx that each is to have.
const SIZES: [(usize, f64); 3] = [(1, 1.0), (16, 1.0), (100, 1.15)];

/// A site whose files were made a second ago may be read again by a server that watches it.
const DEPLOYED_AGO: Duration = Duration::from_hours(240);

/// The same site for both servers; that of nginx has a `.gz` beside each text, as who tunes nginx would have it.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) viral: Site,
    pub(crate) nginx: Site,
}

impl Sites {
    /// Writes both.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let (mut viral, mut nginx) = (Site::empty(), Site::empty());
        let mut page = "<!doctype html><html lang=en><title>Assets</title>".to_owned();
        for (kib, _) in SIZES {
            let (image, script) = (noise(kib as u64, kib << 10), script(kib << 10));
            write!(page, "<img src=/{kib}.png><script src=/{kib}.js></script>")?;
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(script.as_bytes())?;
            nginx.write(&format!("/{kib}.js.gz"), packed.finish()?);
            for site in [&mut viral, &mut nginx] {
                site.write(&format!("/{kib}.png"), &image);
                site.write(&format!("/{kib}.js"), &script);
            }
        }
        for site in [&mut viral, &mut nginx] {
            site.write("/index.html", &page);
            site.backdate(DEPLOYED_AGO);
        }
        Ok(Self { viral, nginx })
    }
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) path: String,
    /// Both sides send it compressed.
    pub(crate) is_text: bool,
    /// It comes with the cookies and the referer of a visit.
    is_visit: bool,
    pub(crate) target: f64,
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    let kinds = [("png", "image", false, false), ("js", "script, compressed", true, false), ("png", "image, in a visit", false, true)];
    let row = |(kib, target), (ending, what, is_text, is_visit)| Row {
        name: format!("{kib} KiB {what}"),
        path: format!("/{kib}.{ending}"),
        is_text,
        is_visit,
        target,
    };
    SIZES.iter().flat_map(|size| kinds.map(|kind| row(*size, kind))).collect()
}

impl Row {
    /// What Chromium sends with such a request from a page of `origin`. Without a visit it keeps no cookies and tells no page.
    pub(crate) fn headers(&self, cookies: &str, origin: &str) -> Vec<(&'static str, String)> {
        let (dest, accept) = if self.is_text { ("script", "*/*") } else { ("image", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8") };
        let mut headers: Vec<(&'static str, String)> = vec![
            ("user-agent", USER_AGENT.to_owned()),
            ("accept", accept.to_owned()),
            ("accept-encoding", "gzip, deflate, br, zstd".to_owned()),
            ("accept-language", "en-GB,en;q=0.9".to_owned()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("sec-fetch-mode", "no-cors".to_owned()),
            ("sec-fetch-dest", dest.to_owned()),
        ];
        if self.is_visit {
            headers.extend([("referer", format!("{origin}/")), ("cookie", cookies.to_owned())]);
        }
        headers
    }
}

/// A script of this length that compresses about as those of sites do: words come again, numbers do not.
fn script(len: usize) -> String {
    const WORDS: [&str; 16] = [
        "function",
        "return",
        "const",
        "value",
        "this.state",
        "props",
        "children",
        "render",
        "update",
        "length",
        "index",
        "Object.assign",
        "undefined",
        "prototype",
        "addEventListener",
        "className",
    ];
    let mut text = String::with_capacity(len + 64);
    let mut random = noise(7, len).into_iter();
    let mut next = || usize::from(random.next().unwrap_or_default());
    while text.len() < len {
        let (a, b, c) = (WORDS[next() % 16], WORDS[next() % 16], WORDS[next() % 16]);
        let _ = write!(text, "{a} {b}{}({c},{});", next() % 64, next());
    }
    text.truncate(len);
    text
}
