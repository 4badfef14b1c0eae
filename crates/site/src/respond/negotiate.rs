//! Which content codings a client likes best (RFC 9110 section 12.5.3).

use http::{HeaderMap, header};

use crate::compress::Coding;

/// The codings with the highest weight of a request's `Accept-Encoding`; none when identity is liked better or nothing is said.
pub fn accepted(headers: &HeaderMap) -> Vec<Coding> {
    let weights: Vec<(String, u16)> = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(weighed)
        .collect();
    let weight = |names: &[&str]| weights.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, weight)| *weight);
    let others = weight(&["*"]);
    let of = |coding: Coding| match coding {
        Coding::Gzip => weight(&["gzip", "x-gzip"]),
        Coding::Brotli | Coding::Zstd => weight(&[coding.token()]),
    };
    let weighted: Vec<(Coding, u16)> = Coding::OFFERED.iter().map(|coding| (*coding, of(*coding).or(others).unwrap_or(0))).collect();
    let best = weighted.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    // Identity is acceptable when not mentioned, but liked no better than what is.
    let identity = weight(&["identity"]).unwrap_or(0);
    if best == 0 || identity > best {
        return Vec::new();
    }
    weighted.into_iter().filter(|(_, weight)| *weight == best).map(|(coding, _)| coding).collect()
}

/// A coding and its weight in thousandths; `None` if it is malformed, as if it were not there.
fn weighed(item: &str) -> Option<(String, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
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
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let weight = match whole {
        "0" | "1" if digits => format!("{whole}{fraction:0<3}").parse().ok()?,
        _ => return None,
    };
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
            ("", &[]),
            (",;,", &[]),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepted(&headers), expected, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), []);
    }
}
