//! Facts: what a request tells about who asks, and what the document tells of itself.

mod fitness;

use http::{HeaderMap, Method, request::Parts};
use rand::RngCore as _;
use viral_site::{Asset, Version, Which, is_known};
use viral_swarm::admission::{Evidence, VisitFacts, is_passed_on};
use viral_swarm::platform::{Engine, Hints, engine, is_too_old, prompts};
use viral_wire::Ticket;

use crate::app::App;
use crate::client::{Socket, asks_for_privacy, is_native_peer};
use crate::cookies::{self, visitor_state};
use crate::limits::THIN_OFFERS_MAX;
use crate::pages::page_path;
use crate::scripts::FOR_WORKER;

pub(super) use fitness::{deploy_of, origin_of};

/// The query that asks for the plain answer.
pub(super) const PLAIN_QUERY: &str = "viral=plain";

/// The query with which the loader says that the browser keeps nothing.
const STORAGE_QUERY: &str = "viral=storage";

/// Fills in everything that the request itself says; page, peers and store are left at their defaults.
pub(super) fn of_request(request: &Parts) -> Evidence {
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
        bot: text(headers, "user-agent").is_some_and(isbot),
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

/// The same as if the request, which a page made of its own accord, were one that goes there.
pub(super) fn as_visit(request: &Parts) -> Evidence {
    let evidence = of_request(request);
    let of_browser = |value: &str| evidence.has_sec_fetch.then(|| value.to_owned());
    Evidence { method_get: true, wants_source: false, fetch_dest: of_browser("document"), fetch_mode: of_browser("navigate"), ..evidence }
}

/// Whether somebody goes to the address, as the browser says it; none where it says nothing.
pub(crate) fn goes_there(headers: &HeaderMap) -> Option<bool> {
    has_sec_fetch(headers).then(|| {
        let dest = text(headers, "sec-fetch-dest");
        dest == Some("document") || fetches_document(headers) || is_passed_on(dest, text(headers, "sec-fetch-mode"))
    })
}

/// Whether a worker that has ours in it fetches a page for visitors; see [`viral_swarm::admission::Evidence::by_own_worker`].
pub(super) fn fetches_document(headers: &HeaderMap) -> bool {
    headers.get(FOR_WORKER).is_some_and(|value| value == "document")
}

/// Whether this is for a worker of the site's own, which is always of the version that the site has now: it asks whether there is a newer one, or stores for later what its list says that version has.
pub(super) fn is_for_worker(headers: &HeaderMap) -> bool {
    headers.contains_key(FOR_WORKER) || is_script_of_worker(headers)
}

/// Whether a page asks for this as its service worker.
pub(super) fn is_script_of_worker(headers: &HeaderMap) -> bool {
    headers.get("service-worker").is_some_and(|value| value == "script")
}

/// Whether the browser asks for a navigation on behalf of a service worker that is not ours alone, which may store the answer.
fn is_preloaded_for_site(headers: &HeaderMap) -> bool {
    text(headers, "service-worker-navigation-preload").is_some_and(|value| !value.starts_with("viral "))
}

fn has_sec_fetch(headers: &HeaderMap) -> bool {
    ["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user"].iter().any(|name| headers.contains_key(*name))
}

/// All that is known of a visit to a document before the page and its peers are looked at.
pub(super) fn of_visit(app: &App, (version, document): (&Version, &Asset), request: &Parts, evidence: Evidence) -> VisitFacts {
    VisitFacts {
        evidence: Evidence {
            page_viral: fitness::of(app, version, document, request),
            unchanged: is_known(document, Which::Full, &request.headers),
            is_quiet: app.is_quiet(),
            is_not_worth_it: !app.worth.is_worth_it(page_path(document), engine_of(&request.headers), evidence.lot),
            ..evidence
        },
        addr: app.client_addr(Socket::of(request), &request.headers),
        ticket: app.cluster.as_ref().map_or_else(fresh_ticket, |cluster| cluster.ticket(fresh_ticket())),
        peers_wanted: THIN_OFFERS_MAX,
        is_head: request.method == Method::HEAD,
        // Whoever reloads the page was the first one, perhaps.
        was_here: cookies::pinned_version(&request.headers).is_some(),
        is_proxied: app.trust_proxy.are(Socket::of(request)),
        may_share: true,
        origin_sent: app.stats.sent_of_all(),
        foreign: Vec::new(),
    }
}

/// A ticket that nobody can guess.
pub(crate) fn fresh_ticket() -> Ticket {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    Ticket(bytes)
}

/// Is `viral=plain` one of the query's pairs?
pub(super) fn asks_for_plain(request: &Parts) -> bool {
    has_pair(request, PLAIN_QUERY)
}

fn has_pair(request: &Parts, wanted: &str) -> bool {
    request.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == wanted))
}

/// Crawlers and link previews name themselves. A browser without a window is still a browser: it can take part, and so can what it is used for
/// (kiosks, tests, prerendering), so `HeadlessChrome` alone makes nobody a bot.
fn isbot(user_agent: &str) -> bool {
    static BOTS: std::sync::LazyLock<isbot::Bots> = std::sync::LazyLock::new(isbot::Bots::default);
    BOTS.is_bot(&user_agent.replace("HeadlessChrome/", "Chrome/"))
}

/// Which engine asks.
pub(super) fn engine_of(headers: &HeaderMap) -> Engine {
    engine(text(headers, "user-agent").unwrap_or_default())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use viral_swarm::admission::CookieState;

    fn evidence(uri: &str, pairs: &[(&str, &str)]) -> Evidence {
        let mut request = http::Request::get(uri);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        of_request(&request.body(()).unwrap().into_parts().0)
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
    }

    #[test]
    fn search_engines_are_bots_and_browsers_are_not() {
        assert!(evidence("/", &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")]).bot);
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert!(!evidence("/", &[("user-agent", chrome)]).bot);
        assert!(!evidence("/", &[("user-agent", &chrome.replace("Chrome/", "HeadlessChrome/"))]).bot);
        assert!(!evidence("/", &[("user-agent", "viral/0.1.0")]).bot, "the native peer is a visitor");
        let rendering = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) HeadlessChrome/156.0 Safari/537.36";
        assert!(evidence("/", &[("user-agent", rendering)]).bot);
    }
}
