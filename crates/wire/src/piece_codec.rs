//! Pieces as they travel: deflated where that is worth it, and verified once they are inflated.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::frame::Encoding;
use crate::{Digest, Piece};

/// Level at which pieces are deflated: on this project's scripts 6 makes them 3 % smaller than 4 for twice the time.
const LEVEL: u32 = 5;

/// A deflated piece has at most this share of the raw one's length, in percent: inflating costs the other side more than a few bytes save.
const WORTH_PERCENT: usize = 90;

/// The raw bytes of a piece if the body is what the manifest says; none if it is forged.
///
/// Whatever the body inflates to, no more than one byte beyond the piece's length is inflated.
///
/// ```
/// use viral_wire::{Digest, Piece, frame::Encoding, piece_codec};
///
/// let raw = b"again and again and again and again and again and again";
/// let piece = Piece { len: raw.len() as u32, digest: Digest::of(raw) };
/// let body = piece_codec::deflated(raw).expect("text is worth deflating");
/// assert_eq!(piece_codec::decode_verified(&piece, Encoding::DeflateRaw, &body).as_deref(), Some(&raw[..]));
/// assert_eq!(piece_codec::decode_verified(&piece, Encoding::Raw, b"forged"), None);
/// ```
#[must_use]
pub fn decode_verified<'a>(piece: &Piece, encoding: Encoding, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let raw = match encoding {
        Encoding::Raw => Cow::Borrowed(body),
        Encoding::DeflateRaw => Cow::Owned(inflate(body, piece.len as usize)?),
    };
    (raw.len() == piece.len as usize && Digest::of(&raw) == piece.digest).then_some(raw)
}

/// Inflates a stream that must give exactly `len` bytes and end there; reads at most one byte beyond.
fn inflate(body: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(len + 1);
    DeflateDecoder::new(body).take(len as u64 + 1).read_to_end(&mut raw).ok()?;
    (raw.len() == len).then_some(raw)
}

/// The deflated body of a piece (`deflate-raw`, RFC 1951), if that saves at least a tenth; else the raw bytes are sent.
#[must_use]
pub fn deflated(raw: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(raw.len() / 2), Compression::new(LEVEL));
    encoder.write_all(raw).ok()?;
    let body = encoder.finish().ok()?;
    (body.len() * 100 <= raw.len() * WORTH_PERCENT).then_some(body)
}

/// Whether pieces of an asset of this media type are worth compressing: text, code and the like. As in `browser/src/core/compressible.ts`.
#[must_use]
pub fn is_compressible(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    let has = |list: &[&str]| list.contains(&bare);
    bare.starts_with("text/")
        || bare.starts_with("image/svg")
        || has(&["font/ttf", "font/otf", "application/vnd.ms-fontobject", "application/x-font-ttf"])
        || bare
            .strip_prefix("application/")
            .is_some_and(|name| ["json", "xml", "javascript", "ecmascript", "wasm"].iter().any(|kind| name.ends_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(raw: &[u8]) -> Piece {
        Piece { len: u32::try_from(raw.len()).unwrap(), digest: Digest::of(raw) }
    }

    #[test]
    fn a_deflated_piece_decodes_to_what_it_was() {
        let raw = b"a piece that says the same, the same, the same, the same, the same".repeat(20);
        let body = deflated(&raw).unwrap();
        assert_eq!(decode_verified(&piece(&raw), Encoding::DeflateRaw, &body).as_deref(), Some(&raw[..]));
        assert_eq!(decode_verified(&piece(&raw), Encoding::Raw, &raw).as_deref(), Some(&raw[..]));
    }

    #[test]
    fn what_does_not_shrink_by_a_tenth_travels_raw() {
        let noise: Vec<u8> = (0..64_u32).flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes()).collect();
        assert_eq!(deflated(&noise), None);
        assert_eq!(deflated(b""), None);
    }

    #[test]
    fn forged_short_long_and_garbled_bodies_do_not_decode() {
        let raw = vec![7; 5_000];
        let body = deflated(&raw).unwrap();
        let known = piece(&raw);
        assert_eq!(decode_verified(&known, Encoding::Raw, &[8; 5_000]), None);
        assert_eq!(decode_verified(&known, Encoding::Raw, &[7; 4_999]), None);
        assert_eq!(decode_verified(&known, Encoding::DeflateRaw, &body[..body.len() / 2]), None);
        assert_eq!(decode_verified(&known, Encoding::DeflateRaw, &[0xff; 100]), None);
        // A bomb: inflates to far more than the piece; nothing beyond one byte more is ever inflated.
        let bomb = deflated(&vec![7; 1 << 24]).unwrap();
        assert_eq!(decode_verified(&known, Encoding::DeflateRaw, &bomb), None);
    }

    #[test]
    fn text_code_and_wasm_are_compressible_and_images_are_not() {
        for yes in
            ["text/html; charset=utf-8", "application/javascript", "application/wasm", "image/svg+xml", "application/ld+json", "font/ttf"]
        {
            assert!(is_compressible(yes), "{yes}");
        }
        for no in ["image/png", "application/zip", "font/woff2", "application/octet-stream", "video/mp4"] {
            assert!(!is_compressible(no), "{no}");
        }
    }
}
