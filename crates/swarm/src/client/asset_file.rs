//! Which file an asset becomes for somebody who keeps the app: its name below a directory, which is never one that means something there, and its bytes without our addition.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use viral_wire::printable::is_deceptive;

/// What a full document has and the file on disk has not: the script tag of the viral addition, around its version.
const ADDITION_HEAD: &str = "<script async src=\"";
const ADDITION_NAME: &str = ".viral/addition.js?v=";
const ADDITION_TAIL: &[u8] = b"\"></script>";

/// The one hidden folder that sites have (RFC 8615), at their root.
const WELL_KNOWN: &str = ".well-known";

/// Longest version in that tag, in bytes: a hex digest.
const ADDITION_VERSION_LEN_MAX: usize = 64;

/// The path of an asset's file below the directory; none if it has no safe one.
#[must_use]
pub fn relative(path: &str, below: &str) -> Option<PathBuf> {
    let mut path = path.strip_prefix(below)?.to_owned();
    if path.is_empty() || path.ends_with('/') {
        path.push_str("index.html");
    }
    let mut relative = PathBuf::new();
    for (depth, part) in path.split('/').enumerate() {
        let name = percent_decode_str(part).decode_utf8().ok()?;
        let is_shown = !is_hidden(&name) || (depth == 0 && name == WELL_KNOWN);
        let is_safe = !name.is_empty() && is_shown && !name.contains(|c| matches!(c, '/' | '\\' | ':') || is_deceptive(c));
        // One ordinary component, whatever the system makes of it.
        let mut components = Path::new(name.as_ref()).components();
        let is_normal = matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name.as_ref());
        if !is_safe || !is_normal {
            return None;
        }
        relative.push(name.as_ref());
    }
    Some(relative)
}

/// Whether shells, editors and version control read a file of this name unasked. Characters without width in front do not count: some file systems drop them.
fn is_hidden(name: &str) -> bool {
    name.trim_start_matches(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}')).starts_with('.')
}

/// The document without the script tag that a full answer adds: the bytes of the file on the origin's disk.
#[must_use]
pub fn without_addition(document: &[u8], below: &str) -> Vec<u8> {
    let head = format!("{ADDITION_HEAD}{below}{ADDITION_NAME}");
    let starts = (0..document.len()).rev().filter(|at| document[*at..].starts_with(head.as_bytes()));
    for start in starts {
        let rest = &document[start + head.len()..];
        let version = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if version <= ADDITION_VERSION_LEN_MAX && rest[version..].starts_with(ADDITION_TAIL) {
            let end = start + head.len() + version + ADDITION_TAIL.len();
            return [&document[..start], &document[end..]].concat();
        }
    }
    document.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_files_below_the_directory_and_nothing_else() {
        let safe = [
            ("/", "index.html"),
            ("/a/", "a/index.html"),
            ("/a/b.js", "a/b.js"),
            ("/a%20b.txt", "a b.txt"),
            ("/.well-known/a.json", ".well-known/a.json"),
            ("/%C3%A4", "ä"),
        ];
        for (path, file) in safe {
            assert_eq!(relative(path, "/").as_deref(), Some(Path::new(file)), "{path}");
        }
        let unsafe_ones = [
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/a%2fb",
            "/a%5cb",
            "/a%00b",
            "//x",
            "/./x",
            "/a//b",
            "x",
            "/c:/x",
            "/.viral-partial/x",
            "/%ff",
            "/..a",
            "/.bashrc",
            "/%2ebashrc",
            "/.ssh/authorized_keys",
            "/a/.git/hooks/post-checkout",
            "/a/.well-known/b",
            "/%e2%80%8c.git/config",
            "/a%1b%5b2J",
            "/a%0ab",
            "/a%c2%9bb",
            "/photo%e2%80%aegpj.exe",
        ];
        for path in unsafe_ones {
            assert_eq!(relative(path, "/"), None, "{path}");
        }
    }

    #[test]
    fn the_addition_is_taken_out_of_a_document_and_nothing_else_is() {
        let tag = "<script async src=\"/.viral/addition.js?v=0a1b\"></script>";
        let with = format!("<p>{tag}</p>{tag}</body>\n");
        assert_eq!(without_addition(with.as_bytes(), "/"), format!("<p>{tag}</p></body>\n").as_bytes(), "only the last one is ours");
        for other in ["<p>", "", "<script async src=\"/.viral/addition.js?v=!\"></script>"] {
            assert_eq!(without_addition(other.as_bytes(), "/"), other.as_bytes());
        }
    }

    #[test]
    fn files_of_a_site_below_a_base_are_those_on_the_servers_disk() {
        assert_eq!(relative("/app/", "/app/").as_deref(), Some(Path::new("index.html")));
        assert_eq!(relative("/app/js/a.js", "/app/").as_deref(), Some(Path::new("js/a.js")));
        assert_eq!(relative("/apple/a.js", "/app/"), None);
        let with = "<p></p><script async src=\"/app/.viral/addition.js?v=0123456789abcdef\"></script>";
        assert_eq!(without_addition(with.as_bytes(), "/app/"), b"<p></p>");
        assert_eq!(without_addition(with.as_bytes(), "/"), with.as_bytes());
    }
}
