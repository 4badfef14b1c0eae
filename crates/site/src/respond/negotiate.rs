//! Which content codings a client likes best (RFC 9110 section 12.5.3).

use std::ops::Deref;

use http::{HeaderMap, header};

use crate::compress::Coding;

/// As many as there are.
const CODINGS_MAX: usize = 3;

/// Codings that a client likes equally well, the one that makes web text smallest first.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    codings: [Coding; CODINGS_MAX],
    len: usize,
}

impl Deref for Accepted {
    type Target = [Coding];

    fn deref(&self) -> &[Coding] {
        self.codings.get(..self.len).unwrap_or_default()
    }
}

/// What is said of each name in thousandths, the first time that it is named.
#[derive(Default)]
struct Weights {
    codings: [Option<u16>; CODINGS_MAX],
    identity: Option<u16>,
    others: Option<u16>,
}

impl Weights {
    fn of(&mut self, name: &str) -> Option<&mut Option<u16>> {
        let is = |token: &str| name.eq_ignore_ascii_case(token);
        if is("identity") {
            return Some(&mut self.identity);
        }
        if is("*") {
            return Some(&mut self.others);
        }
        let coding = Coding::OFFERED.iter().copied().find(|coding| is(coding.token()) || (*coding == Coding::Gzip && is("x-gzip")))?;
        self.codings.get_mut(coding as usize)
    }
}

/// The codings with the highest weight of a request's `Accept-Encoding`; none when identity is liked better or nothing is said.
pub fn accepted(headers: &HeaderMap) -> Accepted {
    let mut weights = Weights::default();
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for (name, weight) in values.flat_map(|value| value.split(',')).filter_map(weighed) {
        if let Some(known) = weights.of(name) {
            known.get_or_insert(weight);
        }
    }
    let weight = |coding: Coding| weights.codings[coding as usize].or(weights.others).unwrap_or(0);
    let best = Coding::OFFERED.iter().copied().map(weight).max().unwrap_or(0);
    let mut accepted = Accepted { codings: [Coding::Gzip; CODINGS_MAX], len: 0 };
    // Identity is acceptable when not mentioned, but liked no better than what is.
    if best == 0 || weights.identity.unwrap_or(0) > best {
        return accepted;
    }
    for coding in Coding::OFFERED.iter().copied().filter(|coding| weight(*coding) == best) {
        accepted.codings[accepted.len] = coding;
        accepted.len += 1;
    }
    accepted
}

/// A coding and its weight in thousandths; `None` if it is malformed, as if it were not there.
fn weighed(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1000;
    for parameter in parts {
        if let Some(value) = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
            weight = thousandths(value)?;
        }
    }
    Some((name, weight))
}

/// `qvalue` of RFC 9110 section 12.4.2.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match whole {
        "0" if is_number => 0,
        "1" if is_number => 1,
        _ => return None,
    };
    let digits = fraction.bytes().map(|byte| u16::from(byte - b'0')).chain(std::iter::repeat(0));
    let weight = digits.take(3).fold(whole, |weight, digit| weight * 10 + digit);
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn weights_decide_and_ties_are_left_to_the_server() {
        use Coding::{Brotli, Gzip, Zstd};
        for (value, expected) in [
            ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip][..]),
            ("gzip", &[Gzip]),
            ("X-GZIP", &[Gzip]),
            ("br;q=0.5, gzip;q=0.8", &[Gzip]),
            ("br;q=0, *", &[Zstd, Gzip]),
            ("*;q=0", &[]),
            ("identity;q=1, *;q=0", &[]),
            ("gzip;q=0.5, identity", &[]),
            ("gzip;q=0.001", &[Gzip]),
            ("gzip;q=1.1", &[]),
            ("gzip;q=x, br ; Q=1.000", &[Brotli]),
            ("identity", &[]),
            ("br;q=0, BR, zstd;q=0.90", &[Zstd]),
            ("br;q=0.1234", &[]),
            ("", &[]),
            (",;,", &[]),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(&*accepted(&headers), expected, "{value}");
        }
        assert!(accepted(&HeaderMap::new()).is_empty());
    }
}
