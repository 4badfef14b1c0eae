//! Byte ranges (RFC 9110 section 14).
//!
//! Several ranges are answered as `multipart/byteranges`, since clients that ask for them (readers of PDF and of archives)
//! otherwise wait for the whole. A request for more than `RANGES_MAX` ranges, or for more bytes than there are, gets the
//! whole instead: section 17.15 names it an attack.

use std::{ops::Range, sync::Arc};

use axum_core::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::body::{Part, body_of};
use crate::{limits::RANGES_MAX, store::Blob};

/// What a request wants of `len` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything: no range, one that is malformed, or more than is sensible.
    Whole,
    /// This range, not empty.
    One(Range<u64>),
    /// These ranges, none empty, in the order asked for.
    Many(Vec<Range<u64>>),
    /// Nothing that is there.
    Unsatisfiable,
}

/// Reads the `Range` header. There is no range of nothing: who asks for one of an empty file gets all of it.
pub(crate) fn wanted(headers: &HeaderMap, len: u64) -> Wanted {
    let Some(set) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(byte_set) else { return Wanted::Whole };
    let mut ranges = Vec::new();
    for (number, item) in set.split(',').map(str::trim).filter(|item| !item.is_empty()).enumerate() {
        let Some(range) = parse(item, len) else { return Wanted::Whole };
        if number >= RANGES_MAX {
            return Wanted::Whole;
        }
        ranges.push(range);
    }
    let asked = !ranges.is_empty() && len > 0;
    ranges.retain(|range| !range.is_empty());
    let total = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end - range.start));
    match &ranges[..] {
        [] if asked => Wanted::Unsatisfiable,
        [] => Wanted::Whole,
        [one] => Wanted::One(one.clone()),
        _ if total > len => Wanted::Whole,
        _ => Wanted::Many(ranges),
    }
}

/// The value of `Content-Range`.
pub(super) fn content_range(range: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.start, range.end.saturating_sub(1))
}

/// Headers and body of an answer with several ranges.
pub(super) fn multipart(mut headers: HeaderMap, media_type: &str, blob: &Arc<Blob>, ranges: Vec<Range<u64>>) -> (HeaderMap, Body) {
    // Content that holds this line is possible but the lengths are known to whoever reads Content-Range; it need not be
    // random, only unlikely.
    const BOUNDARY: &str = "viral-e0b7c2f15a9d4386-range";
    let mut parts = Vec::new();
    let mut len = 0_u64;
    for range in ranges {
        let head =
            format!("\r\n--{BOUNDARY}\r\ncontent-type: {media_type}\r\ncontent-range: {}\r\n\r\n", content_range(&range, blob.len()));
        len += head.len() as u64 + (range.end - range.start);
        parts.push(Part::Given(Bytes::from(head)));
        parts.push(Part::Stored(Arc::clone(blob), range));
    }
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    len += end.len() as u64;
    parts.push(Part::Given(Bytes::from(end)));
    let media_type = HeaderValue::try_from(format!("multipart/byteranges; boundary={BOUNDARY}"));
    headers.extend(media_type.ok().map(|value| (header::CONTENT_TYPE, value)));
    headers.insert(header::CONTENT_LENGTH, len.into());
    (headers, body_of(parts))
}

fn byte_set(value: &str) -> Option<&str> {
    let (unit, set) = value.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(set)
}

/// One range, cut to what is there; empty if nothing of it is. `None` if malformed.
fn parse(item: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = item.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(len.saturating_sub(suffix)..len);
    }
    let first = number(first)?;
    let end = if last.is_empty() { len } else { number(last).filter(|last| *last >= first)?.saturating_add(1).min(len) };
    Some(first.min(end)..end)
}

/// Digits only; more than fit mean "beyond everything".
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: &str, len: u64) -> Wanted {
        wanted(&HeaderMap::from_iter([(header::RANGE, HeaderValue::try_from(value).unwrap())]), len)
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (value, expected) in [
            ("bytes=0-0", Wanted::One(0..1)),
            ("bytes=2-", Wanted::One(2..10)),
            ("bytes=-3", Wanted::One(7..10)),
            ("bytes=-30", Wanted::One(0..10)),
            ("Bytes=5-99999999999999999999999", Wanted::One(5..10)),
            ("bytes=0-1, 4-5", Wanted::Many(vec![0..2, 4..6])),
            ("bytes=0-1,90-", Wanted::One(0..2)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("pages=1-2", Wanted::Whole),
            ("bytes=0-8,0-8", Wanted::Whole),
        ] {
            assert_eq!(of(value, 10), expected, "{value}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 10), Wanted::Whole);
        assert_eq!(of("bytes=0-", 0), Wanted::Whole);
    }

    #[test]
    fn more_ranges_than_the_limit_get_the_whole() {
        let set = |count: usize| format!("bytes={}", (0..count).map(|at| format!("{}-{}", 2 * at, 2 * at)).collect::<Vec<_>>().join(","));
        assert!(matches!(of(&set(RANGES_MAX), 1000), Wanted::Many(ranges) if ranges.len() == RANGES_MAX));
        assert_eq!(of(&set(RANGES_MAX + 1), 1000), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn no_range_reaches_over_the_end(value in "bytes=[-0-9, ]{0,40}", len in 0_u64..2000) {
            let ranges = match of(&value, len) {
                Wanted::One(range) => vec![range],
                Wanted::Many(ranges) => ranges,
                Wanted::Whole | Wanted::Unsatisfiable => vec![],
            };
            for range in ranges {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }
    }
}
