//! Whether a document can travel, and how it is put in place.

use http::request::Parts;
use viral_swarm::admission::PageFitness;
use viral_wire::AssetRecord;
use viral_wire::signal::Deploy;

use crate::app::App;
use crate::client::socket_of;
use crate::config::OwnServiceWorker;
use viral_site::csp::{self, PageOrigin};
use viral_site::{Asset, Document, Version};
use viral_swarm::request::cookies;

/// Judges a document for who makes this request, whatever becomes known of its page.
pub(super) fn of(app: &App, version: &Version, asset: &Asset, request: &Parts) -> PageFitness {
    let record = asset.record();
    let Some(document) = asset.document().filter(|_| !is_saved(&record) && !is_download(version, asset, request)) else {
        return PageFitness::NotHtml;
    };
    if app.own_service_worker == OwnServiceWorker::Yes {
        return PageFitness::OwnServiceWorker;
    }
    if policies_allow(&record, document, origin_of(app, request)) { PageFitness::Fit } else { PageFitness::Csp }
}

/// Whether all policies of the page let us work, those that only report as well.
fn policies_allow(record: &AssetRecord, document: &Document, origin: PageOrigin<'_>) -> bool {
    let policies = record.headers.iter().filter(|(name, _)| csp::is_policy(name)).map(|(_, value)| value.as_str());
    csp::allows(policies, document.meta_csp.iter().map(String::as_str), origin)
}

/// How the document is put in place. The loader is a classic script without modules, so an import map of the page is the first there is
/// (docs/adr/0041).
pub(crate) fn deploy_of(document: &Document) -> Deploy {
    if document.utf8 { Deploy::Write } else { Deploy::Reload }
}

/// Whether the operator has browsers save it instead of showing it.
fn is_saved(record: &AssetRecord) -> bool {
    let mut dispositions = record.headers.iter().filter(|(name, _)| name == "content-disposition").map(|(_, value)| value.trim_start());
    dispositions.any(|value| value.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("attachment")))
}

/// Whether the visitor may be saving it: Firefox asks for what a link with `download` names as if it went there, and browsers heed that only on the same origin.
fn is_download(version: &Version, document: &Asset, request: &Parts) -> bool {
    let is_from_here = request.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    is_from_here && (cookies::is_saving(&request.headers) || version.is_offered_for_saving(document))
}

/// The parts of the page's origin, as its policies see it.
pub(crate) fn origin_of<'a>(app: &'a App, request: &'a Parts) -> PageOrigin<'a> {
    let tls = app.came_over_tls(socket_of(request), &request.headers);
    PageOrigin { scheme: if tls { "https" } else { "http" }, host: app.host(socket_of(request), &request.headers), base: app.base.as_str() }
}
