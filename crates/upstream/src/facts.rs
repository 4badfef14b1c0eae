//! What a response says of itself, for the firewall and for how long it is believed.

use std::time::{Duration, SystemTime};

use http::{Request, header, response::Parts};
use http_cache_semantics::{CacheOptions, CachePolicy};
use viral_swarm::admission::{ResponseFacts, SharingReason, SharingRule, SharingVerdict, judge, says};
use viral_wire::limits::{HEADER_LEN_MAX, RECORD_HEADERS_MAX};

use crate::entry::kept_headers;
use crate::headers::joined;

/// Judges the head of a response to a GET of this path, with its query, that was made without cookies or credentials.
pub(crate) fn judge_head(path_and_query: &str, head: &Parts, rule: SharingRule) -> SharingVerdict {
    let cache_control = joined(&head.headers, &header::CACHE_CONTROL).to_ascii_lowercase();
    let vary = joined(&head.headers, &header::VARY);
    let is_explicit = ["s-maxage", "max-age", "public", "immutable"].iter().any(|directive| says(&cache_control, directive))
        || head.headers.contains_key(header::EXPIRES);
    let facts = ResponseFacts {
        status: head.status.as_u16(),
        cache_control: &cache_control,
        vary: &vary,
        is_page: joined(&head.headers, &header::CONTENT_TYPE).to_ascii_lowercase().starts_with("text/html"),
        sets_cookie: head.headers.contains_key(header::SET_COOKIE),
        has_query: path_and_query.contains('?'),
        may_be_stored: policy(path_and_query, head, SystemTime::now()).is_storable(),
        is_explicit,
        is_dated: head.headers.contains_key(header::LAST_MODIFIED),
        is_coded: !matches!(
            joined(&head.headers, &header::CONTENT_ENCODING).to_ascii_lowercase().as_str(),
            "" | "identity" | "gzip" | "x-gzip"
        ),
        is_beyond_limits: is_beyond_limits(head),
    };
    judge(&facts, rule)
}

/// Up to which age a response may be given without asking whether it still is the same. What only its date allows to keep is asked about each time.
pub(crate) fn lifetime(path: &str, head: &Parts, verdict: SharingVerdict, now: SystemTime) -> Duration {
    if verdict.reason() == SharingReason::Explicit { policy(path, head, now).time_to_live(now) } else { Duration::ZERO }
}

/// The library reads directives in lower case only. How old the answer is is not its matter.
fn policy(path_and_query: &str, head: &Parts, now: SystemTime) -> CachePolicy {
    let request = Request::get(path_and_query).body(()).unwrap_or_default();
    let mut response = http::Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    response.headers_mut().remove(header::AGE);
    let cache_control = joined(&head.headers, &header::CACHE_CONTROL).to_ascii_lowercase();
    if let Ok(value) = http::HeaderValue::try_from(cache_control)
        && !value.is_empty()
    {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    CachePolicy::new_options(&request, &response, now, CacheOptions::default())
}

/// Whether a record could not carry its headers, or its type is none.
fn is_beyond_limits(head: &Parts) -> bool {
    let kept = kept_headers(&head.headers);
    // Three places are for the entity tag, the date and our own.
    kept.len() > RECORD_HEADERS_MAX - 3
        || kept.iter().any(|(name, value)| name.as_str().len() > HEADER_LEN_MAX || value.len() > HEADER_LEN_MAX || value.to_str().is_err())
        || head.headers.get(header::CONTENT_TYPE).is_none_or(|value| value.to_str().is_err() || value.len() > HEADER_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&str, &str)]) -> Parts {
        let mut response = http::Response::builder().header("content-type", "text/javascript");
        for (name, value) in pairs {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    fn verdict(pairs: &[(&str, &str)]) -> (SharingVerdict, u64) {
        let head = head(pairs);
        let verdict = judge_head("/a.js", &head, SharingRule::None);
        (verdict, lifetime("/a.js", &head, verdict, SystemTime::now()).as_secs())
    }

    #[test]
    fn what_servers_say_is_heard_however_they_write_it() {
        use SharingReason::{Coding, Dated, Explicit, Limits, NoFreshness, NoStore, Private, SetCookie, Vary};
        use SharingVerdict::{NotShared, Shared};
        let modified = ("last-modified", "Mon, 06 Jul 2026 10:00:00 GMT");
        for (pairs, expected) in [
            (&[("cache-control", "Public, Max-Age=600")][..], (Shared(Explicit), 600)),
            (&[("cache-control", "public, max-age=0"), modified], (Shared(Explicit), 0)),
            (&[("cache-control", "s-maxage=60, max-age=5")], (Shared(Explicit), 60)),
            (&[modified], (Shared(Dated), 0)),
            (&[("cache-control", "no-cache"), modified], (Shared(Dated), 0)),
            (&[("etag", "W/\"1\"")], (NotShared(NoFreshness), 0)),
            (&[("cache-control", "PRIVATE, max-age=60")], (NotShared(Private), 0)),
            (&[("cache-control", "max-age=60"), ("cache-control", "No-Store")], (NotShared(NoStore), 0)),
            (&[("cache-control", "public, max-age=60"), ("set-cookie", "a=1")], (NotShared(SetCookie), 0)),
            (&[("cache-control", "public, max-age=60"), ("vary", "Accept-Language")], (NotShared(Vary), 0)),
            (&[("cache-control", "public, max-age=60"), ("content-encoding", "br")], (NotShared(Coding), 0)),
            (&[("cache-control", "public, max-age=60"), ("content-encoding", "GZIP")], (Shared(Explicit), 60)),
            (&[("cache-control", "public"), ("x-long", &"x".repeat(HEADER_LEN_MAX + 1))], (NotShared(Limits), 0)),
        ] {
            assert_eq!(verdict(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn an_answer_lasts_as_long_whatever_its_age_is() {
        let old = head(&[("cache-control", "max-age=600"), ("age", "700")]);
        let shared = SharingVerdict::Shared(SharingReason::Explicit);
        assert_eq!(lifetime("/a.js", &old, shared, SystemTime::now()), Duration::from_secs(600));
    }
}
