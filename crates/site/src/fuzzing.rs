//! A parser of a request header, for `fuzz/` alone: behind the feature `fuzzing` and no part of what this crate promises.

use std::ops::Range;

use http::HeaderMap;

use crate::respond::{Wanted, wanted};

/// What a `Range` header asks of `len` bytes: `None` is everything, no range is what is not there.
#[must_use]
pub fn ranges(headers: &HeaderMap, len: u64) -> Option<Vec<Range<u64>>> {
    match wanted(headers, len) {
        Wanted::Whole => None,
        Wanted::One(range) => Some(vec![range]),
        Wanted::Many(ranges) => Some(ranges),
        Wanted::Unsatisfiable => Some(Vec::new()),
    }
}
