//! URL paths to relative paths and back, without any way out of the site.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What browsers escape in a path (URL standard, path percent-encode set), and `%` and `\`, which a name holds literally.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}').add(b'%').add(b'\\');

/// The URL path of a relative path: `a b.js` to `/a%20b.js`.
pub(super) fn encode(relative: &str) -> String {
    format!("/{}", utf8_percent_encode(relative, ESCAPED))
}

/// The relative path a URL path means, with its final slash if it has one; `/` means the empty path.
///
/// `None` for anything that names no file of a site, however it is written: dot segments, empty or hidden segments,
/// NUL, backslashes, escaped slashes, broken escapes, bytes that are not UTF-8.
pub(super) fn decode(url_path: &str) -> Option<String> {
    let escaped = url_path.strip_prefix('/')?;
    if !escapes_are_whole(escaped) {
        return None;
    }
    let mut relative = String::with_capacity(escaped.len());
    let mut segments = escaped.split('/').peekable();
    let mut first = true;
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        let ends_in_slash = last && segment.is_empty();
        if !ends_in_slash && !is_segment(&segment, first) {
            return None;
        }
        relative.push_str(&segment);
        if !last {
            relative.push('/');
        }
        first = false;
    }
    Some(relative)
}

/// Whether a name may stand in the path of an asset. `.well-known` (RFC 8615) is the one hidden name that is shown.
pub(super) fn is_segment(name: &str, at_root: bool) -> bool {
    let hidden = name.starts_with('.') && !(at_root && name == ".well-known");
    !name.is_empty() && !hidden && !name.contains(['/', '\\', '\0'])
}

fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || matches!(bytes.get(at + 1..at + 3), Some(pair) if pair.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ways_out_of_the_site_mean_nothing() {
        for path in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/..",
            "/../a",
            "/a/../b",
            "/%2e%2e/a",
            "/a/%2E%2e",
            "/.",
            "/./a",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/.git/config",
            "/a/.env",
            "/a/.well-known/b",
            "/...",
        ] {
            assert_eq!(decode(path), None, "{path}");
        }
    }

    #[test]
    fn ordinary_paths_are_unescaped_once() {
        for (path, relative) in [
            ("/", ""),
            ("/a/", "a/"),
            ("/a/b%20c.js", "a/b c.js"),
            ("/%C3%BC", "ü"),
            ("/a%2520b", "a%20b"),
            ("/.well-known/x", ".well-known/x"),
        ] {
            assert_eq!(decode(path).as_deref(), Some(relative));
        }
    }

    proptest! {
        #[test]
        fn names_survive_the_way_to_a_url_and_back(segments in prop::collection::vec("[^./\\\\\0][^/\\\\\0]{0,8}", 1..4)) {
            let relative = segments.join("/");
            let url = encode(&relative);
            prop_assert!(url.is_ascii());
            prop_assert_eq!(decode(&url), Some(relative));
        }

        #[test]
        fn nothing_decodes_to_a_path_that_leaves(path in "/?[./%\\\\a2eEfF5cC0\0]{0,24}") {
            if let Some(relative) = decode(&path) {
                prop_assert!(!relative.starts_with('/'));
                prop_assert!(!relative.contains("//") && !relative.contains('\0') && !relative.contains('\\'));
                prop_assert!(relative.split('/').all(|segment| !segment.starts_with('.')));
            }
        }
    }
}
