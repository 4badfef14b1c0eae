//! Admission: one call of the core decides.

use http::request::Parts;
use tokio::time::Instant;
use viral_site::{Asset, Version};
use viral_swarm::admission::{Admission, Lack, VisitFacts};
use viral_wire::signal::Offer;

use super::render::stores;
use crate::app::App;
use crate::cluster::{Cluster, Sought};
use crate::pages::{PageManifest, page_path};
use viral_swarm::request::Socket;

/// Decides a visit to a document of the current version.
pub(super) fn admit(
    app: &App,
    (version, document): (&Version, &Asset),
    request: &Parts,
    facts: &VisitFacts,
) -> (Option<PageManifest>, Admission) {
    let rates = app.stats.take_rates();
    if !rates.is_empty() {
        // What a proxy reads says nothing of its visitors' lines.
        app.hub.note_rates(rates.into_iter().filter(|(address, _)| !app.trust_proxy.are(Socket::At(*address))));
    }
    let began = Instant::now();
    let admitted = app.hub.admit((version, document), facts, |manifest| stores(&request.headers, manifest), &app.policy);
    app.stats.note_decision(began.elapsed());
    admitted
}

/// Peers of other servers for a visit, where this one's own leave something to be wished for.
pub(super) async fn foreign(
    app: &App,
    cluster: &Cluster,
    (version, document): (&Version, &Asset),
    request: &Parts,
    facts: &VisitFacts,
) -> Vec<Offer> {
    let lack = app.hub.lacks((version, document), facts, |manifest| stores(&request.headers, manifest), &app.policy);
    let Some((manifest, Lack { wanted, wish })) = lack else { return Vec::new() };
    let sought = Sought { addr: facts.addr, page: page_path(document), manifest, ticket: facts.ticket };
    cluster.seek(&sought, wanted, wish).await
}
