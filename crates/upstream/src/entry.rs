//! What is kept of one answer that may travel.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use viral_site::{Answered, Asset, Content};
use viral_swarm::admission::says;
use viral_wire::Digest;

use crate::age::Age;
use crate::headers::joined;
use crate::limits::FRESH_LEAST;
use crate::memory::Origin;

/// Headers of an answer that say something of one message or one connection only, or that each of our own answers says of itself.
const NOT_KEPT: [HeaderName; 19] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::SERVER,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::VARY,
    header::VIA,
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("keep-alive"),
];

/// One answer that may travel.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) asset: Arc<Asset>,
    /// SHA-256 of the body as it came, without a coding.
    pub(crate) digest: Digest,
    /// What the other server calls this content.
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) modified: Option<HeaderValue>,
    /// Under which names it was the same, and where somebody came to when it was learned.
    pub(crate) hosts: Vec<HeaderValue>,
    pub(crate) origin: Origin,
    /// The headers that are kept, and the type.
    pub(crate) told: Told,
    pub(crate) life: Life,
    /// How old it was when it was learned.
    pub(crate) age: Age,
}

/// How long an answer is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Up to this age it is given as it is.
    pub(crate) fresh: Duration,
    /// So long beyond it is given while somebody asks whether it is still the same.
    pub(crate) while_revalidate: Duration,
    /// It must not be given once it is stale and the other server cannot be asked.
    pub(crate) must_revalidate: bool,
}

impl Life {
    /// As the head of an answer says, where it is fresh for this long.
    pub(crate) fn of(head: &Parts, fresh: Duration) -> Self {
        let cache_control = joined(&head.headers, &header::CACHE_CONTROL).to_ascii_lowercase();
        let while_revalidate = Duration::from_secs(seconds(&cache_control, "stale-while-revalidate").unwrap_or(0));
        let strict = ["must-revalidate", "proxy-revalidate", "no-cache"];
        let must_revalidate = strict.iter().any(|directive| says(&cache_control, directive));
        let while_revalidate = if must_revalidate { Duration::ZERO } else { while_revalidate };
        Self { fresh, while_revalidate, must_revalidate }
    }

    /// How far an answer of this age can be believed, about which the other server was asked so long ago.
    pub(crate) fn freshness(&self, age: Duration, asked_ago: Duration) -> Freshness {
        let Self { fresh, while_revalidate, .. } = *self;
        if age < fresh || asked_ago < FRESH_LEAST {
            Freshness::Fresh
        } else if age < fresh.saturating_add(while_revalidate) {
            Freshness::Soon
        } else {
            Freshness::Stale
        }
    }
}

/// How far an answer can be believed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// As it is.
    Fresh,
    /// As it is, while somebody asks.
    Soon,
    /// Not before somebody asked.
    Stale,
}

/// What an answer says of its content: the headers that are kept, and the type.
pub(crate) type Told = (Vec<(HeaderName, HeaderValue)>, Option<HeaderValue>);

/// See [`Told`].
pub(crate) fn told(headers: &HeaderMap) -> Told {
    (kept_headers(headers), headers.get(header::CONTENT_TYPE).cloned())
}

/// The headers of an answer that matter wherever its content comes from.
pub(crate) fn kept_headers(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    headers.iter().filter(|(name, _)| !NOT_KEPT.contains(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether content of this type is a file, as a rule, whatever stands in the query: `app.js?v=3`. Data, pages and pictures may be made for the query.
pub(crate) fn is_of_file(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "text/javascript"
            | "application/javascript"
            | "application/x-javascript"
            | "text/css"
            | "application/wasm"
            | "application/vnd.ms-fontobject"
    ) || essence.starts_with("font/")
}

/// Tells the visitor's service worker that a query may lead elsewhere: without it all queries lead to the same asset.
const VIRAL_QUERY: (HeaderName, HeaderValue) = (HeaderName::from_static("viral-query"), HeaderValue::from_static("exact"));

/// What the site is to serve at the relative path `path`.
pub(crate) fn answered(path: String, head: &Parts, content: Content) -> Answered {
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let media_type = text(header::CONTENT_TYPE).unwrap_or("application/octet-stream").to_owned();
    let mut headers = kept_headers(&head.headers);
    if !is_of_file(&media_type) {
        headers.push(VIRAL_QUERY);
    }
    Answered {
        path,
        media_type,
        headers,
        modified: text(header::LAST_MODIFIED).and_then(|date| httpdate::parse_http_date(date).ok()),
        content,
    }
}

fn seconds(cache_control: &str, directive: &str) -> Option<u64> {
    let argument = |item: &str| {
        let (name, value) = item.split_once('=')?;
        (name.trim() == directive).then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    };
    cache_control.split(',').find_map(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(cache_control: &str) -> Life {
        let head = http::Response::builder().header("cache-control", cache_control).body(()).unwrap().into_parts().0;
        Life::of(&head, Duration::from_secs(10))
    }

    #[test]
    fn how_long_it_is_believed_is_read_from_its_head() {
        let soon = life("max-age=10, Stale-While-Revalidate=\"30\"");
        assert_eq!((soon.while_revalidate, soon.must_revalidate), (Duration::from_secs(30), false));
        assert!(life("max-age=10, must-revalidate").must_revalidate);
        assert!(life("no-cache").must_revalidate);
        assert_eq!(life("stale-while-revalidate=x").while_revalidate, Duration::ZERO);
        assert_eq!(life("stale-while-revalidate=99999999999999999999999").while_revalidate, Duration::ZERO, "no number");
    }

    #[test]
    fn an_answer_is_believed_by_its_age_and_asked_about_once_a_second_at_most() {
        let seconds = Duration::from_secs;
        let life = life("max-age=10, stale-while-revalidate=30");
        for (age, asked_ago, expected) in [
            (9, 9, Freshness::Fresh),
            (10, 9, Freshness::Soon),
            (39, 1, Freshness::Soon),
            (40, 1, Freshness::Stale),
            // However old the answer was that came just now.
            (900, 0, Freshness::Fresh),
        ] {
            assert_eq!(life.freshness(seconds(age), seconds(asked_ago)), expected, "{age} {asked_ago}");
        }
    }

    #[test]
    fn what_is_of_one_message_is_not_kept() {
        let headers = [("date", "x"), ("age", "3"), ("etag", "\"1\""), ("content-security-policy", "default-src 'self'"), ("server", "x")];
        let map = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        let kept = kept_headers(&map);
        assert_eq!(kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["content-security-policy"]);
    }
}
