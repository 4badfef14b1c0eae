//! From a URL path to what it leads to, whatever has the files: a version of the site, or the directory that was not read yet.

use super::path;

/// The page that a site has for paths that lead to nothing.
pub(super) const NOT_FOUND_PAGE: &str = "404.html";

/// The document of a folder.
const INDEX_PAGE: &str = "index.html";

/// What a URL path leads to.
#[derive(Debug)]
pub(super) enum Led<T> {
    /// A file.
    File(T),
    /// Another URL path, to which the request's query must be added.
    Redirect(String),
}

/// The rules of [`Version::resolve`](super::Version::resolve), for whatever finds a file by its relative path.
pub(super) struct Paths<'f, T> {
    /// See `SiteOptions::base`.
    pub(super) base: &'f str,
    /// See `SiteOptions::spa`.
    pub(super) spa: bool,
    /// See `SiteOptions::exact_paths`.
    pub(super) exact: bool,
    /// The file with this relative path, if there is one.
    pub(super) file: &'f dyn Fn(&str) -> Option<T>,
}

impl<T> Paths<'_, T> {
    /// What a URL path (without query) leads to.
    pub(super) fn find(&self, url_path: &str) -> Option<Led<T>> {
        if self.exact {
            return self.find_exactly(url_path);
        }
        let file = path::decode(url_path).and_then(|relative| self.find_file(&relative));
        file.or_else(|| self.find_merged(url_path)).or_else(|| self.find_route(url_path))
    }

    /// What was answered at just this path, spelt as browsers spell it. An index has the name of a folder, and none of its own.
    fn find_exactly(&self, url_path: &str) -> Option<Led<T>> {
        let relative = path::decode(url_path).filter(|relative| path::encode(relative) == url_path)?;
        let is_folder = relative.is_empty() || relative.ends_with('/');
        let names_index = relative.rsplit('/').next() == Some(INDEX_PAGE);
        let name = if is_folder { format!("{relative}{INDEX_PAGE}") } else { relative };
        (self.file)(&name).filter(|_| !names_index).map(Led::File)
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
            None => directory().then(|| Led::Redirect(format!("{}/", path::encode(relative)))),
        }
    }

    /// The same path with single slashes, if that leads anywhere.
    fn find_merged(&self, url_path: &str) -> Option<Led<T>> {
        let merged = path::merged(url_path)?;
        let file = path::decode(&merged).and_then(|relative| self.find_file(&relative));
        file.or_else(|| self.find_route(&merged)).map(|found| match found {
            redirect @ Led::Redirect(_) => redirect,
            Led::File(_) => Led::Redirect(merged),
        })
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
