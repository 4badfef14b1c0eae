//! Which of the site's own pages or assets a request was made for.

use http::{HeaderMap, Uri, header};

use crate::pages::page_path;
use viral_site::{Resolved, Version};
use viral_swarm::request::same_origin;

/// What `Referer` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Referer {
    /// Path of the page, or of the asset: a style sheet, a worker's script.
    pub(crate) path: String,
    /// Whether it is a page.
    pub(crate) is_page: bool,
}

/// None without one, or where it is no page or asset of this site.
pub(crate) fn of(version: &Version, headers: &HeaderMap) -> Option<Referer> {
    let uri: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    // The browser knows better than what proxies make of the host.
    let is_same_origin = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    if !is_same_origin && !same_origin::is_of_host(&uri, headers.get(header::HOST)?.to_str().ok()?) {
        return None;
    }
    match version.resolve_visit(uri.path()) {
        Resolved::Asset(asset) if asset.is_document() => Some(Referer { path: page_path(&asset).to_owned(), is_page: true }),
        Resolved::Asset(asset) => Some(Referer { path: asset.path().to_owned(), is_page: false }),
        Resolved::Redirect(_) | Resolved::NotFound(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SITE, viral};

    #[tokio::test]
    async fn a_referer_is_a_page_or_an_asset_of_this_very_site_by_its_one_path() {
        let viral = viral(&SITE, |_| ()).await;
        let version = viral.app.site.current();
        let referer = |value: &'static str| {
            let headers = [(header::HOST, "app.example:8080"), (header::REFERER, value)];
            of(&version, &headers.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect())
        };
        let page = |path: &str, is_page| Some(Referer { path: path.to_owned(), is_page });
        assert_eq!(referer("http://app.example:8080/index.html?q=1"), page("/", true));
        assert_eq!(referer("http://app.example:8080/"), page("/", true));
        assert_eq!(referer("http://app.example:8080/%61pp.js"), page("/app.js", false));
        for nothing in ["http://other.example:8080/", "http://app.example/", "http://app.example:8080/none.js", "nonsense", ""] {
            assert_eq!(referer(nothing), None, "{nothing}");
        }
    }
}
