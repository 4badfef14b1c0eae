//! From a URL path to what it leads to, whatever has the files: a version of the site, or the directory that was not read yet.

use super::{
    path,
    rules::{Outcome, Redirect, Rules},
};

/// The page that a site has for paths that lead to nothing.
pub(super) const NOT_FOUND_PAGE: &str = "404.html";

/// The document of a folder.
const INDEX_PAGE: &str = "index.html";

/// The relative path of what is kept for just this URL path (`SiteOptions::exact_paths`): a folder's index has the name of the folder. None for a path that browsers spell otherwise, and
/// for the index by its own name.
pub fn exact_name(url_path: &str) -> Option<String> {
    let relative = path::decode(url_path).filter(|relative| path::encode(relative) == url_path)?;
    if relative.is_empty() || relative.ends_with('/') {
        return Some(format!("{relative}{INDEX_PAGE}"));
    }
    (relative.rsplit('/').next() != Some(INDEX_PAGE)).then_some(relative)
}

/// What a URL path leads to.
#[derive(Debug)]
pub(super) enum Led<T> {
    /// A file.
    File(T),
    /// Another address, to which the request's query must be added.
    Redirect(Redirect),
    /// Nothing, as a rule says; with the page that it names.
    NotFound(Option<T>),
}

/// The rules of [`Version::resolve`](super::Version::resolve), for whatever finds a file by its relative path.
pub(super) struct Paths<'f, T> {
    /// See `SiteOptions::base`.
    pub(super) base: &'f str,
    /// See `SiteOptions::spa`.
    pub(super) spa: bool,
    /// See `SiteOptions::exact_paths`.
    pub(super) exact: bool,
    /// What the site brings along.
    pub(super) rules: &'f Rules,
    /// The file with this relative path, if there is one.
    pub(super) file: &'f dyn Fn(&str) -> Option<T>,
}

impl<T> Paths<'_, T> {
    /// What a URL path (without query) leads to.
    pub(super) fn find(&self, url_path: &str) -> Option<Led<T>> {
        if self.exact {
            return self.find_exactly(url_path);
        }
        let file = || path::decode(url_path).and_then(|relative| self.find_file(&relative));
        let merged = path::merged(url_path);
        let merged_file = || {
            let merged = merged.as_deref()?;
            led_to(merged, path::decode(merged).and_then(|relative| self.find_file(&relative))?)
        };
        let merged_route = || {
            let merged = merged.as_deref()?;
            led_to(merged, self.find_route(merged)?)
        };
        let ruled = |forced| self.find_ruled(url_path, forced);
        let found = ruled(true).or_else(file).or_else(merged_file).or_else(|| ruled(false));
        found.or_else(merged_route).or_else(|| self.find_route(url_path))
    }

    /// What was answered at just this path, spelt as browsers spell it. An index has the name of a folder, and none of its own.
    fn find_exactly(&self, url_path: &str) -> Option<Led<T>> {
        (self.file)(&exact_name(url_path)?).map(Led::File)
    }

    /// What somebody who goes to a URL path comes to: the app also has paths whose last segment looks like that of a file.
    pub(super) fn find_visit(&self, url_path: &str) -> Option<Led<T>> {
        self.find(url_path).or_else(|| if self.exact { None } else { self.app(url_path) })
    }

    fn find_file(&self, relative: &str) -> Option<Led<T>> {
        if relative.is_empty() || relative.ends_with('/') {
            return (self.file)(&format!("{relative}index.html")).map(Led::File);
        }
        let directory = || (self.file)(&format!("{relative}/index.html")).is_some();
        match (self.file)(relative) {
            Some(file) => Some(Led::File(file)),
            None => directory().then(|| Led::Redirect(Redirect::moved(format!("{}/", path::encode(relative))))),
        }
    }

    /// What the site's own rules say.
    fn find_ruled(&self, url_path: &str, forced: bool) -> Option<Led<T>> {
        Some(match self.rules.outcome(url_path, forced)? {
            Outcome::Redirect(redirect) => Led::Redirect(redirect),
            Outcome::Rewrite(to) => self.file_at(&to).map_or(Led::NotFound(None), Led::File),
            Outcome::NotFound(to) => Led::NotFound(self.file_at(&to)),
        })
    }

    /// The file or the folder's index at a URL path.
    fn file_at(&self, url_path: &str) -> Option<T> {
        let relative = path::decode(url_path)?;
        let index = |folder: &str| (self.file)(&format!("{folder}{INDEX_PAGE}"));
        if relative.is_empty() || relative.ends_with('/') {
            return index(&relative);
        }
        (self.file)(&relative).or_else(|| index(&format!("{relative}/")))
    }

    /// The app, which has every path that could be a page of it.
    fn find_route(&self, url_path: &str) -> Option<Led<T>> {
        let last = url_path.rsplit('/').next().unwrap_or_default();
        let has_dot = path::decode(&format!("/{last}")).map_or_else(|| last.contains('.'), |last| last.contains('.'));
        if has_dot { None } else { self.app(url_path) }
    }

    fn app(&self, url_path: &str) -> Option<Led<T>> {
        if self.spa && path::is_route(url_path) { (self.file)(&format!("{}index.html", self.base)).map(Led::File) } else { None }
    }
}

/// Where a path with several slashes in a row leads, if that with single ones, `merged`, leads to `found`.
fn led_to<T>(merged: &str, found: Led<T>) -> Option<Led<T>> {
    Some(match found {
        redirect @ Led::Redirect(_) => redirect,
        Led::File(_) | Led::NotFound(_) => Led::Redirect(Redirect::moved(merged.to_owned())),
    })
}
