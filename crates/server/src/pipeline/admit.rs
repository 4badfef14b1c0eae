//! Admission: one call of the core decides, or says how long the visitor waits for somebody else's copy.

use http::request::Parts;
use tokio::time::{sleep, sleep_until};
use viral_site::{Asset, Version};
use viral_swarm::admission::{Admission, VisitFacts};

use super::render::stores;
use crate::app::App;
use crate::client::Socket;
use crate::limits::WAITING_LOOK;
use crate::pages::PageManifest;

/// Decides a visit to a document of the current version; none if there is another version before it is decided.
pub(super) async fn admit(
    app: &App,
    (version, document): (&Version, &Asset),
    request: &Parts,
    facts: &mut VisitFacts,
) -> Option<(Option<PageManifest>, Admission)> {
    let (mut readied, mut versions) = (app.hub.readied(), app.site.subscribe());
    let is_outdated = || app.site.current().tag() != version.tag();
    let mut place = None;
    let rates = app.stats.take_rates();
    if !rates.is_empty() {
        // What a proxy reads says nothing of its visitors' lines.
        app.hub.note_rates(rates.into_iter().filter(|(address, _)| !app.trust_proxy.are(Socket::At(*address))));
    }
    loop {
        readied.borrow_and_update();
        // While it waited the site may have changed: never a document of one version with the manifest of another.
        if place.is_some() && is_outdated() {
            return None;
        }
        let (page, admission) = app.hub.admit((version, document), facts, |manifest| stores(&request.headers, manifest), &app.policy);
        let Admission::Wait { until_ms } = admission else { return Some((page, admission)) };
        place = place.or_else(|| app.waiting.try_acquire().ok());
        if place.is_none() {
            facts.may_wait = false;
            continue;
        }
        if is_outdated() {
            return None;
        }
        tokio::select! {
            // What happens together is looked at once.
            _ = readied.changed() => sleep(WAITING_LOOK).await,
            () = sleep_until(app.hub.at(until_ms)) => {}
            Ok(()) = versions.changed() => return None,
            () = app.shutdown.begun() => facts.may_wait = false,
        }
    }
}
