//! Media types: what a file name and its content say about how a browser must read it.

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
        // The registry says video/vnd.dlna.mpeg-tts, browsers and people mean TypeScript.
        "ts" | "tsx" => "text/plain",
        "" => "application/octet-stream",
        _ => mime_guess::from_ext(&extension).first_raw().unwrap_or("application/octet-stream"),
    }
}

/// The whole `Content-Type` value. Text is declared as UTF-8 only where it is: a wrong charset would win over the
/// document's own `<meta charset>`.
pub(super) fn content_type(essence: &str, utf8: bool) -> String {
    if utf8 && is_text(essence) { format!("{essence}; charset=utf-8") } else { essence.to_owned() }
}

/// What the site does with this media type.
pub(super) fn kind(essence: &str) -> Kind {
    match essence {
        "text/html" => Kind::Html,
        "text/css" => Kind::Style,
        "text/javascript" => Kind::Script,
        _ => Kind::Other,
    }
}

/// Whether a browser that is sent there shows a `Content-Type` of this as a page of the site, with scripts and references.
pub(super) fn is_page(content_type: &str) -> bool {
    matches!(content_type.split(';').next().unwrap_or_default(), "text/html" | "application/xhtml+xml")
}

/// Whether a `Content-Type` of this type says which charset the text has.
pub(super) fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
}

/// Whether a content coding can make this smaller. Unknown types are tried, since the result is thrown away if not.
pub(super) fn is_compressible(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence.split_once('/') {
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
    fn compressed_formats_are_not_compressed_again() {
        for name in ["a.png", "a.woff2", "a.zip", "a.mp4", "a.gz"] {
            assert!(!is_compressible(essence(name)), "{name}");
        }
        for name in ["a.js", "a.wasm", "a.svg", "a.ttf", "a.json", "a.bin"] {
            assert!(is_compressible(essence(name)), "{name}");
        }
    }
}
