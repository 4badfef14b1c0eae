//! How long browsers may keep an asset without asking: for ever only where it is sure that its name changes whenever its content does.

use std::collections::HashSet;

use super::{
    Asset,
    cache_control::{IMMUTABLE, REVALIDATE},
    hashed_name::content_hashes,
    media, mentions,
};

/// What decides about all assets of a site together.
#[derive(Debug)]
pub(super) struct Caching<'a> {
    mentioned: HashSet<u64>,
    patterns: &'a [String],
}

impl<'a> Caching<'a> {
    /// Of a site of these assets, whose operator says that names of these patterns never change their content.
    pub(super) fn of<'s>(assets: impl Iterator<Item = &'s Asset>, patterns: &'a [String]) -> Self {
        Self { mentioned: assets.flat_map(|asset| asset.mentions().iter().copied()).collect(), patterns }
    }

    /// The `Cache-Control` value of an asset. `changed` tells that its name was seen with other content: then nobody's word is good enough.
    ///
    /// That a name looks hashed is no proof, since ids of things look alike. It is one if the site's own pages, style sheets or scripts name it
    /// and its type is one that build tools hash.
    pub(super) fn rule(&self, relative: &str, asset: &Asset, changed: bool) -> &'static str {
        if changed || asset.is_page() {
            return REVALIDATE;
        }
        let is_promised = self.patterns.iter().any(|pattern| is_of_pattern(pattern, &format!("/{relative}")));
        if is_promised || self.is_named(relative, asset.media_type()) { IMMUTABLE } else { REVALIDATE }
    }

    fn is_named(&self, relative: &str, media_type: &str) -> bool {
        let has = |name: u64| self.mentioned.contains(&name);
        let is_code = matches!(media::kind(media::bare(media_type)), media::Kind::Script | media::Kind::Style);
        media::is_hashed_by_tools(media_type)
            && content_hashes(relative).any(|hash| has(mentions::of_name(relative)) || (is_code && has(mentions::of_hash(hash))))
    }
}

/// Whether a path is one of a pattern, in which `*` stands for any characters.
pub fn is_of_pattern(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("/assets/*", "/assets/a.js", true),
            ("/assets/*", "/assets", false),
            ("*.woff2", "/fonts/a.woff2", true),
            ("/a/*/b-*.js", "/a/x/y/b-1.js", true),
            ("/a/*/b-*.js", "/a/b-1.js", false),
            ("/a.js", "/a.js", true),
            ("/a.js", "/a.json", false),
            ("/aa*aa", "/aaa", false),
            ("", "/", false),
        ] {
            assert_eq!(is_of_pattern(pattern, path), expected, "{pattern} {path}");
        }
    }
}
