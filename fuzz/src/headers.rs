//! Headers of requests that are read by parsers of ours.

use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use viral_site::{Coding, accepted, fuzzing};

/// Every coding of ours with its token, in the order in which it is chosen.
const CODINGS: [(Coding, &str); 3] = [(Coding::Brotli, "br"), (Coding::Zstd, "zstd"), (Coding::Gzip, "gzip")];

/// More ranges than these get the whole (`limits.rs` of the site).
const RANGES_MAX: usize = 16;

/// A `Range` header, after two bytes: how long the asset is.
///
/// # Panics
/// Where a range reaches over the end, more is sent than there is, or the same ranges written plainly are read otherwise.
pub fn range_header(data: &[u8]) {
    let Some((len, value)) = data.split_first_chunk::<2>() else { return };
    let len = u64::from(u16::from_be_bytes(*len));
    let read = |value: &[u8]| fuzzing::ranges(&headers(header::RANGE, [value]), len);
    let Some(ranges) = read(value) else { return };
    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= len), "{ranges:?} of {len}");
    let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    assert!(total <= len && ranges.len() <= RANGES_MAX, "{ranges:?} of {len}");
    if !ranges.is_empty() {
        let plain = |range: &Range<u64>| format!("{}-{}", range.start, range.end - 1);
        let again = format!("bytes={}", ranges.iter().map(plain).collect::<Vec<_>>().join(","));
        assert_eq!(read(again.as_bytes()), Some(ranges), "{again}");
    }
}

/// `Accept-Encoding` headers, each on a line.
///
/// # Panics
/// Where a coding is named twice or out of order, letters' case matters, or what is liked best is not liked when it is asked for alone.
pub fn accept_encoding(data: &[u8]) {
    let read = |data: &[u8]| accepted(&headers(header::ACCEPT_ENCODING, data.split(|byte| *byte == b'\n'))).to_vec();
    let liked = read(data);
    let known = CODINGS.into_iter().filter(|(coding, _)| liked.contains(coding));
    let (in_order, tokens): (Vec<Coding>, Vec<&str>) = known.unzip();
    assert_eq!(in_order, liked);
    assert_eq!(read(&data.to_ascii_uppercase()), liked);
    assert_eq!(read(&data.to_ascii_lowercase()), liked);
    assert_eq!(read(tokens.join(", ").as_bytes()), liked);
}

/// Headers of these values. What is no header value never reaches a parser.
fn headers<'a>(name: HeaderName, values: impl IntoIterator<Item = &'a [u8]>) -> HeaderMap {
    let values = values.into_iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
    let mut headers = HeaderMap::new();
    values.for_each(|value| {
        headers.append(&name, value);
    });
    headers
}
