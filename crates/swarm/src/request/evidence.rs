//! What a request says of the visit that it is part of.

use http::{HeaderMap, Method, request::Parts};

use super::{asks_for_privacy, cookies::visitor_state, is_native_peer};
use crate::{
    admission::{Evidence, is_passed_on},
    platform::{Engine, Hints, engine, is_too_old, prompts},
};

/// Header of what a service worker with ours in it fetches for visitors (`browser/src/shell/inside.ts`).
pub const FOR_WORKER: &str = "viral-worker";

/// The query that asks for the plain answer.
pub const PLAIN_QUERY: &str = "viral=plain";

/// The query with which the loader says that the browser keeps nothing.
const STORAGE_QUERY: &str = "viral=storage";

/// Fills in everything that the request itself says; page, peers and store are left at their defaults. `is_bot` knows robots by what they call themselves.
pub fn of_request(request: &Parts, is_bot: impl FnOnce(&str) -> bool) -> Evidence {
    let headers = &request.headers;
    Evidence {
        method_get: matches!(request.method, Method::GET | Method::HEAD),
        fetch_dest: text(headers, "sec-fetch-dest").map(str::to_owned),
        fetch_mode: text(headers, "sec-fetch-mode").map(str::to_owned),
        purpose_prefetch: ["sec-purpose", "purpose"]
            .iter()
            .any(|name| text(headers, name).is_some_and(|value| value.starts_with("prefetch"))),
        wants_source: text(headers, "user-agent").is_some_and(|agent| agent.contains("Firefox/"))
            && text(headers, "priority").is_some_and(|priority| priority.split(',').any(|parameter| parameter.trim() == "u=4")),
        has_sec_fetch: has_sec_fetch(headers),
        save_data: text(headers, "save-data").is_some_and(|value| value.eq_ignore_ascii_case("on")),
        gpc: asks_for_privacy(headers),
        cookie: visitor_state(headers),
        forced_plain: asks_for_plain(request),
        storage_blocked: has_pair(request, STORAGE_QUERY),
        bot: text(headers, "user-agent").is_some_and(is_bot),
        platform_prompts: prompts(&Hints {
            user_agent: text(headers, "user-agent").unwrap_or_default(),
            platform: text(headers, "sec-ch-ua-platform"),
            platform_version: text(headers, "sec-ch-ua-platform-version"),
        }),
        too_old: text(headers, "user-agent").is_some_and(is_too_old),
        is_native_peer: is_native_peer(headers),
        by_own_worker: fetches_document(headers) || is_preloaded_for_site(headers),
        ..Evidence::default()
    }
}

/// What is known of a request that a page made of its own accord, as if it were one that goes there.
#[must_use]
pub fn as_visit(evidence: Evidence) -> Evidence {
    let of_browser = |value: &str| evidence.has_sec_fetch.then(|| value.to_owned());
    Evidence { method_get: true, wants_source: false, fetch_dest: of_browser("document"), fetch_mode: of_browser("navigate"), ..evidence }
}

/// Whether somebody goes to the address, as the browser says it; none where it says nothing.
pub fn goes_there(headers: &HeaderMap) -> Option<bool> {
    has_sec_fetch(headers).then(|| {
        let dest = text(headers, "sec-fetch-dest");
        dest == Some("document") || fetches_document(headers) || is_passed_on(dest, text(headers, "sec-fetch-mode"))
    })
}

/// Whether a worker that has ours in it fetches a page for visitors; see [`Evidence::by_own_worker`].
pub fn fetches_document(headers: &HeaderMap) -> bool {
    headers.get(FOR_WORKER).is_some_and(|value| value == "document")
}

/// Whether this is for a worker of the site's own, which is always of the version that the site has now: it asks whether there is a newer one, or stores for later what its list says that version has.
pub fn is_for_worker(headers: &HeaderMap) -> bool {
    headers.contains_key(FOR_WORKER) || is_script_of_worker(headers)
}

/// Whether a page asks for this as its service worker.
pub fn is_script_of_worker(headers: &HeaderMap) -> bool {
    headers.get("service-worker").is_some_and(|value| value == "script")
}

/// Whether the browser asks for a navigation on behalf of a service worker that is not ours alone, which may store the answer.
fn is_preloaded_for_site(headers: &HeaderMap) -> bool {
    text(headers, "service-worker-navigation-preload").is_some_and(|value| !value.starts_with("viral "))
}

fn has_sec_fetch(headers: &HeaderMap) -> bool {
    ["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user"].iter().any(|name| headers.contains_key(*name))
}

/// Is `viral=plain` one of the query's pairs?
pub fn asks_for_plain(request: &Parts) -> bool {
    has_pair(request, PLAIN_QUERY)
}

fn has_pair(request: &Parts, wanted: &str) -> bool {
    request.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == wanted))
}

/// Which engine asks.
pub fn engine_of(headers: &HeaderMap) -> Engine {
    engine(text(headers, "user-agent").unwrap_or_default())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::CookieState;

    fn evidence(uri: &str, pairs: &[(&str, &str)]) -> Evidence {
        let mut request = http::Request::get(uri);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        of_request(&request.body(()).unwrap().into_parts().0, |agent| agent == "a robot")
    }

    #[test]
    fn a_navigation_of_a_browser_is_recognised() {
        let found = evidence(
            "/",
            &[
                ("sec-fetch-dest", "document"),
                ("sec-fetch-mode", "navigate"),
                ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
            ],
        );
        assert!(found.method_get && found.has_sec_fetch && !found.bot && !found.platform_prompts && !found.forced_plain);
        assert_eq!((found.fetch_dest.as_deref(), found.fetch_mode.as_deref()), (Some("document"), Some("navigate")));
    }

    #[test]
    fn firefox_that_shows_the_source_is_told_from_a_visit() {
        let firefox = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0");
        assert!(evidence("/", &[firefox, ("priority", "u=4")]).wants_source);
        assert!(evidence("/", &[firefox, ("priority", "u=4, i")]).wants_source);
        assert!(!evidence("/", &[firefox, ("priority", "u=0, i")]).wants_source);
        assert!(!evidence("/", &[("priority", "u=4")]).wants_source, "others set it as they like");
    }

    #[test]
    fn what_the_visitor_wishes_is_heard() {
        assert!(evidence("/", &[("save-data", "on")]).save_data);
        assert!(!evidence("/", &[("save-data", "off")]).save_data);
        assert!(evidence("/", &[("sec-gpc", "1")]).gpc && !evidence("/", &[("sec-gpc", "0")]).gpc);
        assert_eq!(evidence("/", &[("cookie", "viral=off")]).cookie, CookieState::Off);
        assert!(evidence("/?a=b&viral=plain", &[]).forced_plain);
        assert!(!evidence("/?viral=plainly", &[]).forced_plain);
        assert!(evidence("/", &[("sec-purpose", "prefetch;prerender")]).purpose_prefetch);
        assert!(evidence("/", &[("user-agent", "a robot")]).bot && !evidence("/", &[]).bot);
    }
}
