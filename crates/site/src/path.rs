//! URL paths to relative paths and back, without any way out of the site.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What browsers escape in a path (URL standard, path percent-encode set), and `%` and `\`, which a name holds literally.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'^').add(b'`').add(b'{').add(b'}').add(b'%').add(b'\\');

/// The URL path of a relative path: `a b.js` to `/a%20b.js`.
pub(super) fn encode(relative: &str) -> String {
    format!("/{}", utf8_percent_encode(relative, ESCAPED))
}

/// A path or a part of one, however it is written, as browsers write it. `None` where its escapes are broken or not UTF-8.
pub(super) fn spelt(text: &str) -> Option<String> {
    if !escapes_are_whole(text) {
        return None;
    }
    let plain = percent_decode_str(text).decode_utf8().ok()?;
    Some(utf8_percent_encode(&plain, ESCAPED).to_string())
}

/// The same; where that is none, what is no text is escaped.
pub(super) fn respelt(url_path: &str) -> String {
    spelt(url_path).unwrap_or_else(|| utf8_percent_encode(url_path, CONTROLS).to_string())
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

/// Whether a URL path can be a route of an app that has all paths: more than paths of files, but still nothing that tries to leave or names what is
/// hidden. An app's names may hold slashes and backslashes (`/projects/group%2Fname`) and be empty.
pub(super) fn is_route(url_path: &str) -> bool {
    let Some(escaped) = url_path.strip_prefix('/').filter(|escaped| escapes_are_whole(escaped)) else { return false };
    let mut first = true;
    percent_decode_str(escaped).decode_utf8().is_ok_and(|path| {
        path.split(['/', '\\']).all(|name| {
            let at_root = std::mem::take(&mut first);
            name.is_empty() || is_segment(name, at_root)
        })
    })
}

/// A URL path with one slash wherever there are several, if there are. `None` where that could lead to another site: browsers read `/\` as `//`.
/// Nor where a URL stands in the path (`/proxy/https://a.example`), whose slashes count.
pub(super) fn merged(url_path: &str) -> Option<String> {
    if !url_path.contains("//") || url_path.contains("://") || url_path.contains('\\') {
        return None;
    }
    let mut merged = String::with_capacity(url_path.len());
    for character in url_path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    Some(merged)
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

    #[test]
    fn routes_of_an_app_are_more_than_paths_of_files() {
        for path in ["/projects/group%2Fname", "/a%5Cb", "/a//b", "/a\\b", "/%E4%BD%A0", "/", "/.well-known/x", "/url/https://a.example/"] {
            assert!(is_route(path), "{path}");
        }
        for path in ["", "a", "/..", "/a%2f..%2Fb", "/a%5C..", "/%2e%2e/a", "/.git/config", "/a%2f.env", "/%00", "/%zz", "/%ff"] {
            assert!(!is_route(path), "{path}");
        }
    }

    #[test]
    fn several_slashes_are_one_but_never_the_way_to_another_site() {
        for (path, expected) in [
            ("//", Some("/")),
            ("//evil.example", Some("/evil.example")),
            ("/a///b//", Some("/a/b/")),
            ("/a/b", None),
            ("//\\evil.example", None),
            ("/url/https://a.example//", None),
        ] {
            assert_eq!(merged(path).as_deref(), expected, "{path}");
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
