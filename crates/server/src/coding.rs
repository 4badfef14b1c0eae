//! Content codings of answers made per request: choosing one by `Accept-Encoding` and encoding small bodies.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use viral_site::{Coding, Ending, accepted};

const OFFERED: &str = "the coding is offered, and memory takes all that is written";

/// The coding that makes a small text smallest among those the client likes best (RFC 9110 section 12.5.3); none for identity.
pub(crate) fn choose(headers: &HeaderMap) -> Option<Coding> {
    let accepted = accepted(headers);
    Coding::OFFERED.iter().copied().find(|coding| accepted.contains(coding))
}

/// The value of `Content-Encoding`.
pub(crate) fn header(coding: Coding) -> HeaderValue {
    HeaderValue::from_static(coding.token())
}

/// Encodes a body made for one request: a millisecond, not the last percent.
pub(crate) fn encode_quick(coding: Option<Coding>, body: Vec<u8>) -> Vec<u8> {
    match coding {
        Some(coding) => viral_site::encode_quick(coding, &body).expect(OFFERED),
        None => body,
    }
}

/// The same of a body that begins and ends so.
pub(crate) fn encode_quick_before(coding: Option<Coding>, beginning: &[u8], ending: &Ending) -> Vec<u8> {
    match coding {
        Some(coding) => viral_site::encode_quick_before(coding, beginning, ending).expect(OFFERED),
        None => [beginning, ending.plain()].concat(),
    }
}

/// A body that is kept in each coding that is offered: as small as it gets.
pub(crate) fn encode_best(body: &[u8]) -> Vec<(Coding, Bytes)> {
    Coding::OFFERED.iter().map(|&coding| (coding, viral_site::encode_best(coding, body).expect(OFFERED).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    fn chosen(accept: &str) -> Option<Coding> {
        choose(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, accept.parse().unwrap())]))
    }

    #[test]
    fn the_smallest_accepted_coding_wins() {
        assert_eq!(chosen("gzip, deflate, br, zstd"), Some(Coding::Brotli));
        assert_eq!(chosen("gzip, zstd"), Some(Coding::Zstd));
        assert_eq!(chosen("GZIP"), Some(Coding::Gzip));
        assert_eq!(chosen("*"), Some(Coding::Brotli));
        assert_eq!(chosen("br;q=0, *"), Some(Coding::Zstd));
        assert_eq!(chosen("br;q=0.0, gzip;q=0.1"), Some(Coding::Gzip));
        assert_eq!(chosen("br;Q=0"), None);
        assert_eq!(chosen("br;q=0.1, gzip;q=1"), Some(Coding::Gzip), "what the client likes better");
        assert_eq!(chosen("deflate"), None);
        assert_eq!(choose(&HeaderMap::new()), None);
    }
}
