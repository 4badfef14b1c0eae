//! Names with a hash of their content in them, as build tools write them.

/// Whether a file name carries a hash of the content, as build tools write it: `app.3f9ab2c1.js`, `index-BxY12_zk.js`.
///
/// A false positive may freeze an asset for a year, a false negative costs a conditional request; so when in doubt, no.
/// Judged is each part of the name between dots (without the extension), as a whole and after each `-` or `_`:
/// - hexadecimal (webpack, Parcel, Hugo): 8 to 64 digits in one case that mix numerals and letters. Below 16 digits the two
///   must alternate at least three times, which words and dates (`facade01`, `20240131a`) do not.
/// - base64url (Vite, Rollup): exactly the 8 characters these tools write, after a separator, with a numeral and both
///   cases, alternating as no camel-case word does (`Utf8Text` is none).
/// - base32 (esbuild): exactly 8 of `A-Z2-7` after a separator, alternating at least three times.
pub(super) fn has_content_hash(name: &str) -> bool {
    content_hashes(name).next().is_some()
}

/// The parts of a file name that look like hashes of the content.
pub(super) fn content_hashes(name: &str) -> impl Iterator<Item = &str> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let stem = name.rsplit_once('.').map(|(stem, _)| stem).unwrap_or_default();
    stem.split('.').enumerate().flat_map(|(at, part)| {
        let whole = (is_hex(part) || (at > 0 && is_short(part))).then_some(part);
        let tails = part.match_indices(['-', '_']).map(|(mark, _)| &part[mark + 1..]);
        whole.into_iter().chain(tails.filter(|tail| is_hash(tail)))
    })
}

/// Whether a word is what build tools put into names, as they list it in scripts: `{7:"3f9ab2c1"}`.
pub(super) fn is_hash(word: &str) -> bool {
    is_hex(word) || is_short(word)
}

fn is_hex(text: &str) -> bool {
    let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let upper = text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    let alternations_min = if text.len() < 16 { 3 } else { 1 };
    (8..=64).contains(&text.len()) && (lower || upper) && alternations(text, false) >= alternations_min && !is_uuid(text)
}

/// Whether 32 digits are a UUID without its dashes: version and variant stand where RFC 9562 puts them. One MD5 in eight looks like one.
fn is_uuid(text: &str) -> bool {
    let digits = text.as_bytes();
    digits.len() == 32 && matches!(digits[12], b'1'..=b'8') && matches!(digits[16], b'8' | b'9' | b'a' | b'b' | b'A' | b'B')
}

fn is_short(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().any(|byte| is(&byte));
    let base32 = text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte));
    let base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    text.len() == 8 && (base32 || (base64 && mixed)) && alternations(text, true) >= 3
}

/// How often the class of characters changes. With `words`, a capital followed by small letters is no change.
fn alternations(text: &str, words: bool) -> usize {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    text.as_bytes()
        .windows(2)
        .map(|pair| (class(pair[0]), class(pair[1])))
        .filter(|(a, b)| a != b && !(words && (*a, *b) == (2, 1)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_build_tools_are_kept_for_a_year() {
        for name in [
            "app.3f9ab2c1.js",
            "index-BxY12_zk.js",
            "assets/index-D8_kLm3Q.css",
            "chunk-4DXZQ2AB.js",
            "main.2f5d1e0ab34c99e0f1d2.chunk.js",
            "styles.9F86D081884C7D65.css",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.wasm",
            "vendor_8c3a91fe.js",
            "logo-ab12cd34.svg",
        ] {
            assert!(has_content_hash(name), "{name}");
        }
    }

    #[test]
    fn names_people_write_are_asked_about() {
        for name in [
            "jquery-3.7.1.min.js",
            "background.png",
            "background-large.png",
            "bootstrap.bundle.min.js",
            "facade01.jpg",
            "deadbeef.txt",
            "report-20240131.pdf",
            "dcf00123.jpg",
            "Base64Encoder.js",
            "encode-Utf8Text.js",
            "MyComponentV2Test.js",
            "pdf.worker.min.mjs",
            "stockfish-16.1-lite-single.js",
            "550e8400-e29b-41d4-a716-446655440000.png",
            "fontawesome-webfont.woff2",
            "LICENSE",
            "iso-8859-15.js",
            "x86Win32.js",
            "12345678.js",
            "app.20240131120000.js",
            ".3f9ab2c1",
            "main.js",
            "site-WebAssembly2.js",
            "550e8400e29b41d4a716446655440000.json",
            "avatar-0190b6e41c6b7d3f9a5b3c2d1e0f4a5b.png",
        ] {
            assert!(!has_content_hash(name), "{name}");
        }
    }
}
