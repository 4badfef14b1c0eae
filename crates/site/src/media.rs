//! Media types: what a file name and its content say about how a browser must read it.

use std::io::{self, Read};

use super::limits::{CHARSET_PRESCAN_LEN, TEXT_STRETCH_LEN};

/// What the site does with an asset beyond sending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTML, read for references and given the addition.
    Html,
    /// A style sheet, read for references.
    Style,
    /// JavaScript, read for references and for a service worker of the site's own.
    Script,
    /// Everything else.
    Other,
}

/// The media type of a file name, without parameters.
pub(super) fn essence(name: &str) -> &'static str {
    let extension = extension(name);
    match extension.as_str() {
        // Where the registry is silent, differs from the standards browsers follow, or changed over the years.
        "js" | "mjs" | "cjs" => "text/javascript",
        "css" => "text/css",
        "html" | "htm" => "text/html",
        "xhtml" | "xht" => "application/xhtml+xml",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "xml" => "application/xml",
        "ico" => "image/x-icon",
        "avif" => "image/avif",
        "webp" => "image/webp",
        "jxl" => "image/jxl",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "md" => "text/markdown",
        "txt" | "log" => "text/plain",
        "vtt" => "text/vtt",
        "ktx2" => "image/ktx2",
        "obj" => "model/obj",
        "m3u8" => "application/vnd.apple.mpegurl",
        "glb" => "model/gltf-binary",
        "gltf" => "model/gltf+json",
        "m4a" => "audio/mp4",
        "opus" => "audio/ogg",
        "br" => "application/x-brotli",
        // The registry says video/vnd.dlna.mpeg-tts, browsers and people mean TypeScript.
        "ts" | "tsx" => "text/plain",
        "" => UNKNOWN,
        _ => mime_guess::from_ext(&extension).first_raw().unwrap_or(UNKNOWN),
    }
}

/// The whole `Content-Type` value. Text is declared as UTF-8 only where it is: a wrong charset would win over the
/// document's own `<meta charset>`.
pub(super) fn content_type(essence: &str, utf8: bool) -> String {
    if utf8 && is_text(essence) { format!("{essence}; charset=utf-8") } else { essence.to_owned() }
}

/// Whether text is to be declared as UTF-8: it is, and nothing in it says that it is meant as something else.
///
/// What is ASCII is UTF-8 too. But a page of ASCII that declares another charset sends its forms in that, and ISO-2022 writes Japanese with ASCII.
pub(super) fn is_utf8(text: &[u8]) -> bool {
    reads_utf8(text).unwrap_or(false)
}

/// The same of text that is read in stretches. Blocks.
///
/// # Errors
/// When it cannot be read.
pub(super) fn reads_utf8(mut text: impl Read) -> io::Result<bool> {
    let (mut is_ascii, mut says_otherwise, mut shifts) = (true, false, false);
    let mut stretch = Vec::new();
    for number in 0_u64.. {
        // What the last stretch broke off in the middle of goes on here.
        let kept = stretch.len();
        (&mut text).take(TEXT_STRETCH_LEN).read_to_end(&mut stretch)?;
        let is_end = stretch.len() == kept;
        let valid_len = match std::str::from_utf8(&stretch) {
            Ok(_) => stretch.len(),
            Err(error) if error.error_len().is_none() && !is_end => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        is_ascii &= stretch.is_ascii();
        says_otherwise |= number == 0 && declared_charset(&stretch).is_some_and(|name| !matches!(name.as_str(), "utf-8" | "utf8"));
        shifts |= stretch.windows(2).any(|pair| matches!(pair, [0x1b, b'$' | b'(']));
        if is_end {
            break;
        }
        let escapes = valid_len > 0 && valid_len == stretch.len() && stretch.ends_with(&[0x1b]);
        stretch.drain(..valid_len - usize::from(escapes));
    }
    Ok(!(is_ascii && (shifts || says_otherwise)))
}

/// The first charset that the start of a page or style sheet declares, in lower case: `<meta charset=x>`, `content="text/html; charset=x"`,
/// `@charset "x"`.
fn declared_charset(text: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&text[..text.len().min(CHARSET_PRESCAN_LEN)]).to_ascii_lowercase();
    let is_sheet = start.starts_with("@charset ");
    start.match_indices("charset").find_map(|(at, word)| {
        let is_meta = start[..at].rfind('<').is_some_and(|tag| start[tag..].starts_with("<meta"));
        if !is_meta && (!is_sheet || at != 1) {
            return None;
        }
        let after = start[at + word.len()..].trim_start();
        let value = if is_sheet { Some(after) } else { after.strip_prefix('=') }?.trim_start().trim_start_matches(['"', '\'']);
        let end = value.find(|character: char| !character.is_ascii_alphanumeric() && !"-_:.".contains(character)).unwrap_or(value.len());
        (end > 0).then(|| value[..end].to_owned())
    })
}

/// A media type without its parameters.
pub(super) fn bare(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// The charset that a `Content-Type` names.
pub(super) fn charset(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// Whether build tools put hashes of the content into names of files of this type. Data of the app's own has ids for names.
pub(super) fn is_hashed_by_tools(media_type: &str) -> bool {
    let essence = bare(media_type);
    matches!(essence, "text/javascript" | "text/css" | "application/wasm" | "application/vnd.ms-fontobject")
        || ["image/", "font/", "audio/", "video/"].iter().any(|sort| essence.starts_with(sort))
}

/// Whether it is known what content of this type is, so that browsers need not look.
pub(super) fn is_known(media_type: &str) -> bool {
    bare(media_type) != UNKNOWN
}

/// What is said of content that nothing is known of.
const UNKNOWN: &str = "application/octet-stream";

/// What the site does with this media type.
pub(super) fn kind(essence: &str) -> Kind {
    match essence {
        "text/html" => Kind::Html,
        "text/css" => Kind::Style,
        "text/javascript" | "application/javascript" | "application/x-javascript" => Kind::Script,
        _ => Kind::Other,
    }
}

/// Whether a browser that is sent there shows a `Content-Type` of this as a page of the site, with scripts and references.
pub(super) fn is_page(content_type: &str) -> bool {
    matches!(bare(content_type), "text/html" | "application/xhtml+xml")
}

/// Whether a `Content-Type` of this type says which charset the text has.
pub(super) fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
}

/// Whether a content coding can make this smaller. Unknown types are tried, since the result is thrown away if not.
pub(super) fn is_compressible(media_type: &str) -> bool {
    match bare(media_type).split_once('/') {
        Some(("image", sort)) => matches!(sort, "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon" | "tiff" | "x-portable-pixmap"),
        Some(("audio", sort)) => matches!(sort, "wav" | "x-wav" | "midi"),
        Some(("video", _)) => false,
        Some(("font", sort)) => !matches!(sort, "woff" | "woff2"),
        Some(("application", sort)) => !matches!(
            sort,
            "zip"
                | "gzip"
                | "x-gzip"
                | "x-7z-compressed"
                | "x-rar-compressed"
                | "vnd.rar"
                | "x-bzip2"
                | "x-xz"
                | "zstd"
                | "pdf"
                | "java-archive"
                | "epub+zip"
                | "vnd.android.package-archive"
                | "x-brotli"
        ),
        _ => true,
    }
}

fn extension(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_browsers_are_strict_about_are_exact() {
        for (name, expected) in [
            ("a.js", "text/javascript"),
            ("a.MJS", "text/javascript"),
            ("dir.d/a.wasm", "application/wasm"),
            ("a.css", "text/css"),
            ("a.webmanifest", "application/manifest+json"),
            ("a.woff2", "font/woff2"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.mp4", "video/mp4"),
            ("a.pdf", "application/pdf"),
            ("a.ktx2", "image/ktx2"),
            ("a.obj", "model/obj"),
            ("a.m3u8", "application/vnd.apple.mpegurl"),
            ("LICENSE", "application/octet-stream"),
            ("dir.js/LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(essence(name), expected, "{name}");
        }
    }

    #[test]
    fn charset_is_said_only_of_text_that_is_utf_8() {
        assert_eq!(content_type("text/html", true), "text/html; charset=utf-8");
        assert_eq!(content_type("text/html", false), "text/html");
        assert_eq!(content_type("application/wasm", true), "application/wasm");
    }

    #[test]
    fn text_that_means_another_charset_is_not_declared_as_utf_8() {
        for text in [
            &b"<!doctype html><meta charset=iso-8859-1><form>"[..],
            b"<meta http-equiv=Content-Type content='text/html; charset = \"Shift_JIS\"'>",
            b"<META CHARSET = 'windows-1252'>",
            b"@charset \"gbk\";a{}",
            b"\x1b$B4A;z\x1b(B",
            b"<p>\xfc",
        ] {
            assert!(!is_utf8(text), "{}", String::from_utf8_lossy(text));
        }
        for text in ["<meta charset=UTF-8><p>", "<p>plain", "<script>let charset = 1;", "<meta charset=latin1>\u{fc}", "", "<meta charset>"]
        {
            assert!(is_utf8(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn text_is_judged_alike_wherever_a_stretch_of_it_ends() {
        let len = usize::try_from(TEXT_STRETCH_LEN).unwrap();
        for fill in len - 4..=len + 1 {
            let with = |end: &[u8]| is_utf8(&["x".repeat(fill).as_bytes(), end].concat());
            for whole in ["", "ü", "漢", "🦀 end"] {
                assert!(with(whole.as_bytes()), "{fill} {whole}");
            }
            for other in [&b"\xfc"[..], b"\xc3", b"\xf0\x9f\xa6", b"\x1b$B4A;z\x1b(B"] {
                assert!(!with(other), "{fill} {other:?}");
            }
        }
    }

    #[test]
    fn compressed_formats_are_not_compressed_again() {
        for name in ["a.png", "a.woff2", "a.zip", "a.mp4", "a.gz"] {
            assert!(!is_compressible(essence(name)), "{name}");
        }
        for name in ["a.js", "a.wasm", "a.svg", "a.ttf", "a.json", "a.bin"] {
            assert!(is_compressible(essence(name)), "{name}");
        }
    }
}
