//! References between assets of one site: URL references to the relative paths they mean.

use url::Url;

use super::{limits::ASSET_REFERENCES_MAX, path};

/// How soon a reference is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Style sheets, and scripts of the head for which the parser waits: nothing is shown without them.
    Blocking,
    /// Other scripts and what they import: the page shows without them and does nothing yet.
    First,
    /// Images, what style sheets show, and what is fetched ahead for scripts.
    Later,
}

/// One reference to a file of the same site, which may or may not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Relative path, unescaped.
    pub(super) target: String,
    /// How soon it is needed.
    pub(super) need: Need,
}

/// The references of one asset, in order, each target once.
#[derive(Debug, Default)]
pub(super) struct References {
    base: Option<Url>,
    own: String,
    found: Vec<Reference>,
}

/// A host that no reference can name by accident (RFC 2606 section 2).
const HOST: &str = "http://site.invalid/";

impl References {
    /// References as seen from the asset at this relative path.
    pub(super) fn of(relative: &str) -> Self {
        let own = path::encode(relative);
        Self { base: Url::parse(HOST).and_then(|host| host.join(&own)).ok(), own: relative.to_owned(), found: Vec::new() }
    }

    /// Resolves what follows against the `<base href>` of a document instead of against its own path.
    pub(super) fn rebase(&mut self, href: &str) {
        if let Some(base) = &mut self.base
            && let Ok(changed) = base.join(href)
        {
            *base = changed;
        }
    }

    /// Notes a reference; of two to the same target the one that is needed sooner counts. Those to other sites, without a file's path, or
    /// beyond `ASSET_REFERENCES_MAX` are dropped.
    pub(super) fn add(&mut self, reference: &str, need: Need) {
        let Some(target) = self.target(reference).filter(|target| *target != self.own) else { return };
        if let Some(link) = self.found.iter_mut().find(|link| link.target == target) {
            link.need = link.need.min(need);
        } else if self.found.len() < ASSET_REFERENCES_MAX {
            self.found.push(Reference { target, need });
        }
    }

    /// Everything noted, in order.
    pub(super) fn into_vec(self) -> Vec<Reference> {
        self.found
    }

    /// The relative path of the file of this site that a reference names, if it does; of a directory with its final slash.
    pub(super) fn target(&self, reference: &str) -> Option<String> {
        self.place(reference).filter(|target| !target.is_empty())
    }

    /// [`Self::target`], and an empty path for the root.
    pub(super) fn place(&self, reference: &str) -> Option<String> {
        let reference = reference.trim();
        if reference.is_empty() || reference.starts_with('#') {
            return None;
        }
        let url = self.base.as_ref()?.join(reference).ok()?;
        let same_site = url.scheme() == "http" && url.host_str() == Some("site.invalid") && url.port().is_none();
        same_site.then(|| path::decode(url.path())).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(from: &str, reference: &str) -> Option<String> {
        let mut links = References::of(from);
        links.add(reference, Need::First);
        links.into_vec().pop().map(|link| link.target)
    }

    #[test]
    fn references_resolve_as_in_a_browser() {
        for (from, reference, expected) in [
            ("a/b.html", "c.js", Some("a/c.js")),
            ("a/b.html", " ../c.js?x=1#y ", Some("c.js")),
            ("a/b.html", "/c%20d.js", Some("c d.js")),
            ("a/b.html", "../../../../etc/passwd", Some("etc/passwd")),
            ("a b.html", "c d.js", Some("c d.js")),
            ("a.html", "//elsewhere.example/c.js", None),
            ("a.html", "https://elsewhere.example/c.js", None),
            ("a.html", "data:text/css,x", None),
            ("a.html", "#top", None),
            ("a.html", "a.html?again", None),
            ("a.html", "", None),
        ] {
            assert_eq!(target(from, reference).as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn what_is_needed_sooner_counts() {
        let mut links = References::of("a.html");
        [Need::Later, Need::First, Need::Blocking, Need::First].into_iter().for_each(|need| links.add("b.js", need));
        assert_eq!(links.into_vec(), [Reference { target: "b.js".to_owned(), need: Need::Blocking }]);
    }

    #[test]
    fn no_more_links_are_kept_than_the_limit() {
        let mut links = References::of("a.html");
        (0..=ASSET_REFERENCES_MAX).for_each(|number| links.add(&format!("{number}.js"), Need::First));
        assert_eq!(links.into_vec().len(), ASSET_REFERENCES_MAX);
    }
}
