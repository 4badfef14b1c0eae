//! Small text checks and hex, shared by the formats of this crate.

/// Lower-case hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Exactly `N` bytes from lower-case hex, or `None`.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// An asset path as it stands in a URL: absolute, percent-encoded, without query, fragment or dot segments.
///
/// `//` at the start is refused because a browser would read a host name there.
pub(crate) fn is_path(text: &str, len_max: usize) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() > len_max || bytes.first() != Some(&b'/') || bytes.get(1) == Some(&b'/') {
        return false;
    }
    let escapes_are_whole = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || matches!(bytes.get(at + 1..at + 3), Some(pair) if pair.iter().all(u8::is_ascii_hexdigit)));
    escapes_are_whole
        && bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"\"#<>?\\^`{}".contains(byte))
        && !text.split('/').any(is_dot_segment)
}

/// A lower-case header name (RFC 9110 token) of 1..=`len_max` bytes.
pub(crate) fn is_header_name(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A header value of printable ASCII, spaces and tabs, at most `len_max` bytes.
pub(crate) fn is_header_value(text: &str, len_max: usize) -> bool {
    text.len() <= len_max && text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// Whether `text` is 1..=`len_max` of the characters ICE credentials are made of (RFC 8839 `ice-char`).
pub(crate) fn is_ice_text(text: &str, len_min: usize, len_max: usize) -> bool {
    (len_min..=len_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_a_url_parser_would_change_are_refused() {
        for good in ["/", "/a/b.js", "/a%20b", "/.well-known/x", "/a..b", "/a//b", "/@x/(y)|~'*!$&,;=:+[]"] {
            assert!(is_path(good, 64), "{good}");
        }
        for bad in ["", "a", "//host/x", "/a?b", "/a#b", "/a b", "/ä", "/%", "/%2", "/%zz", "/a\\b", "/..", "/a/./b", "/%2E%2e/b", "/.%2e"]
        {
            assert!(!is_path(bad, 64), "{bad}");
        }
        assert!(is_path(&format!("/{}", "a".repeat(63)), 64));
        assert!(!is_path(&format!("/{}", "a".repeat(64)), 64));
    }

    #[test]
    fn hex_is_lower_case_and_of_exact_length() {
        assert_eq!(hex(&[0, 0xab]), "00ab");
        assert_eq!(unhex::<2>("00ab"), Some([0, 0xab]));
        for bad in ["00AB", "00a", "00abc", "00ag", ""] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
    }

    #[test]
    fn header_text_cannot_carry_a_line_break() {
        assert!(is_header_name("content-security-policy", 64));
        assert!(!is_header_name("Content-Type", 64) && !is_header_name("", 64) && !is_header_name("a:b", 64));
        assert!(is_header_value("a \t~", 4) && !is_header_value("a\r\nb", 64) && !is_header_value("12345", 4));
    }
}
