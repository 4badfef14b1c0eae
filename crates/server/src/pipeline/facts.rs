//! Facts: what a request tells about who asks, and what the document tells of itself.

mod fitness;

use http::{Method, request::Parts};
use rand::RngCore as _;
use viral_site::{Asset, Version, Which, is_known};
use viral_swarm::admission::{Evidence, VisitFacts};
use viral_swarm::request::cookies;
use viral_swarm::request::evidence::{self, engine_of};
use viral_wire::Ticket;

use crate::app::App;
use crate::client::socket_of;
use crate::limits::THIN_OFFERS_MAX;
use crate::pages::page_path;

pub(super) use fitness::{deploy_of, origin_of};

/// Everything that the request itself says; page, peers and store are left at their defaults.
pub(super) fn of_request(request: &Parts) -> Evidence {
    evidence::of_request(request, isbot)
}

/// The same as if the request, which a page made of its own accord, were one that goes there.
pub(super) fn as_visit(request: &Parts) -> Evidence {
    evidence::as_visit(of_request(request))
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
        addr: app.client_addr(socket_of(request), &request.headers),
        ticket: app.cluster.as_ref().map_or_else(fresh_ticket, |cluster| cluster.ticket(fresh_ticket())),
        peers_wanted: THIN_OFFERS_MAX,
        is_head: request.method == Method::HEAD,
        // Whoever reloads the page was the first one, perhaps.
        was_here: cookies::pinned_version(&request.headers).is_some(),
        is_proxied: app.trust_proxy.are(socket_of(request)),
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

/// Crawlers and link previews name themselves. A browser without a window is still a browser: it can take part, and so can what it is used for
/// (kiosks, tests, prerendering), so `HeadlessChrome` alone makes nobody a bot.
fn isbot(user_agent: &str) -> bool {
    static BOTS: std::sync::LazyLock<isbot::Bots> = std::sync::LazyLock::new(isbot::Bots::default);
    BOTS.is_bot(&user_agent.replace("HeadlessChrome/", "Chrome/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_engines_are_bots_and_browsers_are_not() {
        assert!(isbot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"));
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert!(!isbot(chrome));
        assert!(!isbot(&chrome.replace("Chrome/", "HeadlessChrome/")));
        assert!(!isbot("viral/0.1.0"), "the native peer is a visitor");
        let rendering = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) HeadlessChrome/156.0 Safari/537.36";
        assert!(isbot(rendering));
    }
}
