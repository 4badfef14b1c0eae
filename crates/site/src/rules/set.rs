//! What both files of rules say together.

use viral_wire::Digest;

use super::{
    fault::RuleFault,
    headers::HeaderRules,
    redirects::{Outcome, Redirects},
};
use crate::{asset::Headers, operator_headers::HEADERS_MAX, path};

/// Both files, as they were understood.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    headers: HeaderRules,
    redirects: Redirects,
    /// Names what the files say; none where there are none.
    digest: Option<Digest>,
}

impl Rules {
    /// What the two files say; of one that is not there, nothing.
    ///
    /// # Errors
    /// At the first line that cannot be followed.
    pub(crate) fn parse(headers: Option<&[u8]>, redirects: Option<&[u8]>) -> Result<Self, RuleFault> {
        let digest = (headers.is_some() || redirects.is_some()).then(|| {
            let parts = [headers, redirects].map(|text| text.map_or(Digest::of(b""), Digest::of));
            Digest::of(&parts.map(|part| *part.as_bytes()).concat())
        });
        Ok(Self {
            headers: headers.map(HeaderRules::parse).transpose()?.unwrap_or_default(),
            redirects: redirects.map(Redirects::parse).transpose()?.unwrap_or_default(),
            digest,
        })
    }

    /// Names what the files say; none where there are none.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The headers of the file with this relative path: `given`, and what the rules say. None where they say nothing of it.
    ///
    /// An index goes by the path of its folder, too.
    ///
    /// # Errors
    /// When they are more than a record holds.
    pub(crate) fn headers_of(&self, relative: &str, given: &Headers) -> Result<Option<Headers>, RuleFault> {
        if self.headers.is_empty() {
            return Ok(None);
        }
        let own = path::encode(relative);
        self.headers.of((&own, folder_of(&own)), given, HEADERS_MAX)
    }

    /// The headers of an answer that is no file, at this URL path.
    pub(crate) fn headers_at(&self, url_path: &str, given: &Headers) -> Option<Headers> {
        if self.headers.is_empty() {
            return None;
        }
        // No record carries them, so that there may be as many as there are.
        self.headers.of((&path::respelt(url_path), None), given, usize::MAX).ok().flatten()
    }

    /// What is done at a URL path: by the rules that hold whatever is there if `forced`, else by the others.
    pub(crate) fn outcome(&self, url_path: &str, forced: bool) -> Option<Outcome> {
        if self.redirects.is_empty(forced) { None } else { self.redirects.outcome(&path::respelt(url_path), forced) }
    }

    /// Whether any file is hidden.
    pub(crate) fn can_hide(&self) -> bool {
        !self.redirects.is_empty(true)
    }

    /// Whether the file with this relative path is not what its address leads to.
    pub(crate) fn hides(&self, relative: &str) -> bool {
        self.outcome(&path::encode(relative), true).is_some()
    }
}

/// The path of the folder whose index this is.
fn folder_of(url_path: &str) -> Option<&str> {
    url_path.strip_suffix("index.html").filter(|folder| folder.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_index_goes_by_the_path_of_its_folder_too() {
        let rules = Rules::parse(Some(b"/docs/\n A: 1\n/docs/index.html\n B: 2\n/docs\n C: 3"), None).unwrap();
        let names = |relative| {
            let headers = rules.headers_of(relative, &Headers::new()).unwrap().unwrap_or_default();
            headers.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names("docs/index.html"), ["a", "b"]);
        assert_eq!(names("docs/other.html"), [""; 0]);
        assert_eq!(names("docs"), ["c"]);
    }

    #[test]
    fn files_are_told_apart_by_what_they_say() {
        let of = |headers: Option<&[u8]>, redirects: Option<&[u8]>| Rules::parse(headers, redirects).unwrap().digest();
        assert_eq!(of(None, None), None);
        assert_ne!(of(Some(b"#"), None), of(None, Some(b"#")));
        assert_eq!(of(Some(b"#"), None), of(Some(b"#"), None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_fault(headers in prop::collection::vec(any::<u8>(), 0..200), path in "[/a:*.%2e\\\\ü]{0,24}",
            lines in "((/[a:*]{0,4}|  [!A:b ]{0,6}|https://[a:/*]{0,6}|200|301!|#|\\?|=)[ \n]){0,30}") {
            for text in [headers.as_slice(), lines.as_bytes()] {
                for rules in [Rules::parse(Some(text), None), Rules::parse(None, Some(text))] {
                    let Ok(rules) = rules else { continue };
                    let _ = rules.headers_at(&path, &Headers::new());
                    for forced in [false, true] {
                        if let Some(Outcome::Redirect(redirect)) = rules.outcome(&path, forced) {
                            let location = redirect.location(None);
                            prop_assert!(location.starts_with("http") || (location.starts_with('/') && !location.starts_with("//")));
                        }
                    }
                }
            }
        }
    }
}
