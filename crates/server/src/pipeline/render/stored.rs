//! The answer to a visitor whose own service worker stores the page as it is now: its worker answers, and this is a note to it.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, request::Parts};
use viral_wire::Digest;

use super::thin::{escaped, plain_query};
use crate::headers::VIRAL_MANIFEST;
use crate::limits::STORED_NAMES_MAX;
use crate::stats::Cause;

/// What a worker of ours makes the browser send with navigation preloads; of others it says `true`.
const PRELOAD: HeaderName = HeaderName::from_static("service-worker-navigation-preload");

/// What our value begins with.
const OURS: &str = "viral ";

/// Hex digits of a manifest's digest in it.
const NAME_LEN: usize = 16;

/// Whether the visitor's worker says that it stores the document and the critical ring of this manifest:
/// `viral HEX16,HEX16,...`, newest first.
pub(crate) fn names(headers: &HeaderMap, manifest: &Digest) -> bool {
    let Some(list) = headers.get(PRELOAD).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix(OURS)) else {
        return false;
    };
    let digest = manifest.to_string();
    digest.get(..NAME_LEN).is_some_and(|name| list.split(',').take(STORED_NAMES_MAX).any(|listed| listed.trim() == name))
}

/// A page that shows nothing, should it ever be shown, and asks for the plain answer.
pub(super) fn respond(request: &Parts, manifest: &Digest) -> Response<Body> {
    let query = escaped(&plain_query(request.uri.query()));
    let html = format!("<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url=?{query}\">");
    let len = html.len();
    let mut response = Response::new(if request.method == Method::HEAD { Body::empty() } else { Body::from(html) });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, len.into());
    headers.extend(HeaderValue::try_from(manifest.to_string()).ok().map(|manifest| (VIRAL_MANIFEST, manifest)));
    response.extensions_mut().insert(Cause::Loader);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(value: &str) -> bool {
        names(&HeaderMap::from_iter([(PRELOAD, value.parse().unwrap())]), &Digest::of(b"m"))
    }

    #[test]
    fn a_worker_names_what_it_stores_among_others() {
        let name = &Digest::of(b"m").to_string()[..NAME_LEN];
        assert!(says(&format!("viral {name}")));
        assert!(says(&format!("viral 0123456789abcdef,{name}")));
        for wrong in ["true", "", "viral", "viral ", name, &format!("viral {}", &name[1..]), &format!("other {name}")] {
            assert!(!says(wrong), "{wrong}");
        }
        assert!(!says("viral 0123456789abcdef") && !names(&HeaderMap::new(), &Digest::of(b"m")));
    }

    #[test]
    fn no_more_names_are_read_than_the_limit() {
        let name = &Digest::of(b"m").to_string()[..NAME_LEN];
        let after = |count: usize| format!("viral {}{name}", "0123456789abcdef,".repeat(count));
        assert!(says(&after(STORED_NAMES_MAX - 1)), "at the maximum");
        assert!(!says(&after(STORED_NAMES_MAX)), "one over");
    }

    #[test]
    fn the_note_is_small_and_leads_to_the_plain_answer() {
        let request = http::Request::get("/?a=1&b").body(()).unwrap().into_parts().0;
        let response = respond(&request, &Digest::of(b"m"));
        assert_eq!(response.headers()["viral-manifest"], Digest::of(b"m").to_string());
        assert!(response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse::<usize>().unwrap() < 300);
    }
}
