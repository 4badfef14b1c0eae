//! Noticing that visitors never find what is ours: a proxy shows the site below a path, and nobody said so.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use http::{HeaderMap, Uri, header};

use crate::config::BASE_LEN_MAX;
use crate::limits::UNASKED_MAX;
use viral_site::{Resolved, Version};

/// Folders of a path below which a site may be shown.
const BASE_DEPTH_MAX: usize = 8;

/// What was seen so far.
#[derive(Debug)]
pub(crate) struct Unasked {
    /// Somebody asked for something of ours.
    is_found: AtomicBool,
    /// Visitors who were given the addition.
    given: AtomicU32,
    warned: Once,
}

impl Unasked {
    /// Nobody was seen yet.
    pub(crate) fn new() -> Self {
        Self { is_found: AtomicBool::new(false), given: AtomicU32::new(0), warned: Once::new() }
    }

    /// Somebody found us.
    pub(crate) fn note_asked(&self) {
        self.is_found.store(true, Relaxed);
    }

    /// Somebody who was not here before was given a page with the addition.
    pub(crate) fn note_given(&self) {
        if !self.is_found.load(Relaxed) && self.given.fetch_add(1, Relaxed) + 1 == UNASKED_MAX {
            self.warned.call_once(|| {
                tracing::warn!(
                    visitors = UNASKED_MAX,
                    "visitors are given the viral addition and none asks for it; if a proxy shows this site below a path, name that with --base /PATH/, \
                     else let it pass on everything below /.viral/. This is said once"
                );
            });
        }
    }

    /// A part of a page was asked for and found: who asked tells below which path the site is shown, perhaps.
    pub(crate) fn note_part(&self, version: &Version, headers: &HeaderMap) {
        if self.is_found.load(Relaxed) || self.warned.is_completed() {
            return;
        }
        if let Some(base) = shown_below(version, headers) {
            self.warned.call_once(|| {
                tracing::warn!(
                    %base,
                    "visitors see this site below a path that it does not know of, so that nothing of viral's works for them; say so with --base {base}. This is said once"
                );
            });
        }
    }
}

/// The path below which a browser sees the page that it asks for a script or a style sheet of, where that is none of this site, but is one without its first folders.
///
/// Nothing can be told of a site whose page for what is not there, or whose single page, stands at every path.
fn shown_below(version: &Version, headers: &HeaderMap) -> Option<String> {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if says("sec-fetch-site") != "same-origin" || !matches!(says("sec-fetch-dest"), "script" | "style") {
        return None;
    }
    let uri: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let path = uri.path();
    if !matches!(version.resolve_visit(path), Resolved::NotFound(None)) {
        return None;
    }
    // Each is looked up, whatever a referer says: no more than a base may have.
    let folders = path.match_indices('/').map(|(at, _)| at).take_while(|at| *at < BASE_LEN_MAX).skip(1).take(BASE_DEPTH_MAX);
    let is_page = |path: &str| matches!(version.resolve_visit(path), Resolved::Asset(page) if page.is_document());
    let at = folders.into_iter().find(|at| is_page(&path[*at..]))?;
    let base: crate::config::Base = path[..=at].parse().ok()?;
    Some(base.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::viral;

    async fn told(files: &[(&str, &str)], spa: bool, referer: &str, dest: &str) -> Option<String> {
        let viral = viral(files, |config| config.spa = spa).await;
        let headers = [("sec-fetch-site", "same-origin"), ("sec-fetch-dest", dest), ("referer", referer)];
        let headers =
            headers.into_iter().map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect();
        shown_below(&viral.app.site.current(), &headers)
    }

    #[tokio::test]
    async fn a_page_seen_below_a_path_that_nobody_named_tells_which() {
        let files = [("index.html", "<!doctype html>"), ("docs/index.html", "<!doctype html>")];
        for (referer, base) in [
            ("https://a.example/app/", Some("/app/")),
            ("https://a.example/some/app/docs/", Some("/some/app/")),
            ("https://a.example/", None),
            ("https://a.example/docs/", None),
            ("https://a.example/docs/app.js", None),
            (&format!("https://a.example{}/", "/a".repeat(9)), None),
            (&format!("https://a.example/{}/docs/", "a".repeat(300)), None),
        ] {
            assert_eq!(told(&files, false, referer, "script").await.as_deref(), base, "{referer}");
        }
        let app = "https://a.example/app/";
        assert_eq!(told(&files, false, app, "image").await, None, "an icon is asked for from a page that is not there, too");
        assert_eq!(told(&files, true, app, "script").await, None, "a route of the app");
        assert_eq!(told(&[files[0], ("404.html", "lost")], false, app, "script").await, None, "the page for what is not there");
    }

    #[test]
    fn it_is_said_once_that_nobody_asks_and_never_once_somebody_did() {
        let unasked = Unasked::new();
        (1..UNASKED_MAX).for_each(|_| unasked.note_given());
        assert!(!unasked.warned.is_completed());
        unasked.note_given();
        assert!(unasked.warned.is_completed());
        let found = Unasked::new();
        found.note_asked();
        (0..2 * UNASKED_MAX).for_each(|_| found.note_given());
        assert!(!found.warned.is_completed());
    }
}
