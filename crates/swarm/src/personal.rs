//! What the answer of a service says of its page, which it made for one visitor: whether something of ours can be put into it, and who may keep it.

pub mod tags;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::admission::says;

/// Headers that tell of the very bytes of a body, or of its parts.
pub const OF_THE_BYTES: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::TRAILER,
    header::ACCEPT_RANGES,
    header::LAST_MODIFIED,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Whether a path is by its ending that of a file, not of a page, whatever language makes it.
#[must_use]
pub fn is_of_file(path: &str) -> bool {
    const OF_PAGES: [&str; 9] = ["html", "htm", "xhtml", "php", "asp", "aspx", "jsp", "cgi", "do"];
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_some_and(|(_, ending)| {
        let is_ending = (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_ending && !OF_PAGES.iter().any(|page| ending.eq_ignore_ascii_case(page))
    })
}

/// Whether this is a page, and not one that is to be saved.
#[must_use]
pub fn is_page<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let begins = |name: HeaderName, text: &[u8]| {
        headers.get(name).is_some_and(|value| value.as_bytes().get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)))
    };
    response.status() == StatusCode::OK && begins(header::CONTENT_TYPE, b"text/html") && !begins(header::CONTENT_DISPOSITION, b"attachment")
}

/// Whether the bytes of the body are markup that can be added to: of no coding, or of one that was used though nobody asked for it, and in a charset that contains ASCII.
#[must_use]
pub fn is_readable(headers: &HeaderMap) -> bool {
    let codings: Vec<&[u8]> = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    let is_known = match codings.as_slice() {
        [] => true,
        [one] => one.eq_ignore_ascii_case(b"identity") || one.eq_ignore_ascii_case(b"gzip"),
        _ => false,
    };
    let media_type = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let is_wide = media_type.is_some_and(|media_type| ["utf-16", "utf-7", "iso-2022"].iter().any(|charset| media_type.contains(charset)));
    is_known && !is_wide && !says(&cache_control(headers), "no-transform")
}

/// All that `Cache-Control` says, in lower case.
fn cache_control(headers: &HeaderMap) -> String {
    let values: Vec<&str> = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",").to_ascii_lowercase()
}

/// Headers for caches on the way, which win over `Cache-Control`.
const ON_THE_WAY: [HeaderName; 2] = [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("surrogate-control")];

/// Whether a shared cache may give this to others without asking.
#[must_use]
pub fn is_for_many(headers: &HeaderMap) -> bool {
    let told = cache_control(headers);
    let lasts = |directive: &str| {
        let age = directive.trim().split_once('=').filter(|(name, _)| matches!(*name, "max-age" | "s-maxage"));
        age.is_some_and(|(_, age)| age.trim_matches('"') != "0")
    };
    let is_told = says(&told, "public") || told.split(',').any(lasts) || ON_THE_WAY.iter().any(|name| headers.contains_key(name));
    is_told && !["private", "no-store", "no-cache"].iter().any(|directive| says(&told, directive))
}

/// It has cookies of ours now, which are for one browser.
pub fn keep_from_shared_caches(headers: &mut HeaderMap) {
    for name in ON_THE_WAY {
        headers.remove(name);
    }
    let told = cache_control(headers);
    if !says(&told, "private") && !says(&told, "no-store") {
        headers.append(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_pages_by_their_endings() {
        for page in ["/", "/me", "/item/1", "/v1.2/", "/index.php", "/a.b/c", "/user/j.d.salinger", "/x.HTML"] {
            assert!(!is_of_file(page), "{page}");
        }
        for file in ["/report.pdf", "/data.json", "/a/b.csv"] {
            assert!(is_of_file(file), "{file}");
        }
    }
}
