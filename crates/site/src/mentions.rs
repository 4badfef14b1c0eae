//! Which hashed names a text mentions: that a page or script names a file by its hash proves that the hash belongs to the content.

use std::hash::{DefaultHasher, Hasher as _};

use super::{hashed_name, limits::MENTIONS_MAX};

/// The hashed file names in a text and, with `bare`, words that are hashes: scripts put names together from them. Each is a number, see
/// [`of_name`] and [`of_hash`].
pub(super) fn in_text(text: &[u8], bare: bool) -> Box<[u64]> {
    let words = text.split(|byte| !is_part(*byte)).filter(|word| (8..=NAME_LEN_MAX).contains(&word.len()));
    let words = words.filter_map(|word| std::str::from_utf8(word).ok());
    let named = words.filter_map(|word| {
        // A sentence may end after it.
        let word = word.trim_end_matches('.');
        let counts = hashed_name::has_content_hash(word) || (bare && hashed_name::is_hash(word));
        counts.then(|| number(word))
    });
    let mut found: Vec<u64> = named.take(MENTIONS_MAX).collect();
    found.sort_unstable();
    found.dedup();
    found.into()
}

/// What a mention of the file at this path is, judged by the end of its name: characters that are escaped in some places and not in others end it.
pub(super) fn of_name(relative: &str) -> u64 {
    let name = relative.rsplit('/').next().unwrap_or(relative);
    number(name.rsplit(|character: char| !character.is_ascii() || !is_part(character as u8)).next().unwrap_or(name))
}

/// What a mention of a hash alone is.
pub(super) fn of_hash(hash: &str) -> u64 {
    number(hash)
}

/// Longest name looked at, in bytes: file systems allow no longer ones.
const NAME_LEN_MAX: usize = 255;

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn number(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(word.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_hashes_are_found_however_they_are_quoted() {
        let script =
            br#"import("./chunk-4DXZQ2AB.js");a.src=`/img/logo.3f9ab2c1.png`;u=e=>"js/"+e+"."+{7:"8c3a91fe2b"}[e]+".js";see main.js."#;
        let (names, all) = (in_text(script, false), in_text(script, true));
        assert_eq!((names.len(), all.len()), (2, 3));
        assert!(names.contains(&of_name("assets/chunk-4DXZQ2AB.js")) && names.contains(&of_name("img/logo.3f9ab2c1.png")));
        assert!(all.contains(&of_hash("8c3a91fe2b")));
        assert!(in_text(b"\"static/[slug]-3f9ab2c1.js\"", false).contains(&of_name("static/[slug]-3f9ab2c1.js")));
    }

    #[test]
    fn no_more_mentions_are_kept_than_the_limit() {
        let text: String = (0..=MENTIONS_MAX).map(|at| format!("a-{at:06}a1b2c3.js ")).collect();
        assert_eq!(in_text(text.as_bytes(), false).len(), MENTIONS_MAX);
    }
}
