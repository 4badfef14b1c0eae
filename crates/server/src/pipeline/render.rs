//! Rendering: the answer that was decided, with the headers that go with it.

mod measured;
mod stored;
mod thin;

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Response, header, request::Parts};
use viral_site::{Asset, Version, Which, respond};
use viral_swarm::admission::{Admission, CrowdRole, Decision, Reason, VisitFacts};
use viral_wire::Ticket;
use viral_wire::limits::BOOT_VERSION;
use viral_wire::signal::{Deploy, Offer, ThinBoot};

use super::headers::{keep_private, set_answer_header, set_document_headers, set_join_ticket, with_cause};
use super::observe::{Opened, Visitor};
use super::{facts, observe, span};
use crate::app::App;
use crate::headers::VIRAL_MANIFEST;
use crate::pages::{PageManifest, page_path};
use crate::scripts::Scripts;
use crate::stats::Cause;

pub(super) use stored::names as stores;

/// What is rendered for whom.
pub(super) struct RenderedVisit<'v> {
    pub(super) version: &'v Version,
    pub(super) document: &'v Asset,
    pub(super) request: &'v Parts,
    pub(super) facts: &'v VisitFacts,
    pub(super) visitor: Option<Visitor>,
    /// The page as it was when the visit was decided; none if it has no manifest.
    pub(super) page: Option<PageManifest>,
}

/// Carries out what was decided.
pub(super) async fn render(app: &App, visit: &RenderedVisit<'_>, admission: Admission) -> Response<Body> {
    let RenderedVisit { version, document, request, facts, visitor, page } = *visit;
    let decision = admission.decision();
    let as_is = async |which, cause| with_cause(respond(version, document, which, request).await, cause);
    let mut response = match (admission, page) {
        (Admission::Asset, _) => as_is(Which::Raw, Cause::Assets).await,
        (Admission::Stored, Some(page)) => stored::respond(request, &page.manifest),
        (Admission::Thin { offers, crowd, .. }, Some(page)) => thin_answer(app, visit, page, (offers, crowd)),
        (Admission::Full { names_manifest, .. }, page) => {
            let mut response = as_is(Which::Full, Cause::Documents).await;
            name_manifest(&mut response, page.filter(|_| names_manifest));
            response
        }
        (Admission::Plain(Reason::Holdout), _) => match measured::respond(request, &app.scripts, document).await {
            Ok(response) => with_cause(without_body(facts, response), Cause::Documents),
            // Its own error answer.
            Err(_) => as_is(Which::Raw, Cause::Documents).await,
        },
        (Admission::Plain(_) | Admission::Stored | Admission::Thin { .. }, _) => as_is(Which::Raw, Cause::Documents).await,
    };
    set_answer_header(app, &mut response, decision);
    keep_private(&mut response);
    if facts.evidence.by_own_worker && facts.evidence.fetch_mode.as_deref() != Some("navigate") {
        // It is stored: nobody visits it now.
        return response;
    }
    if decision != Decision::Asset {
        set_document_headers(app, &mut response, (version, request), &facts.evidence, visitor);
    }
    if let Decision::Full(_) | Decision::Thin(_) = decision {
        set_join_ticket(app, &mut response, request, page_path(document));
    }
    if decision == Decision::Thin(Reason::Stored) {
        // It says what holds at this moment, to this visitor's worker.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if page.is_none() {
        return response;
    }
    let is_timed = is_timed(decision, document);
    observe::document(app, request, response, decision, &Opened { page: page_path(document), visitor, is_timed })
}

/// Whether the page's clock runs on: one that is put in place by a reload has begun it anew.
fn is_timed(decision: Decision, document: &Asset) -> bool {
    !matches!(decision, Decision::Thin(_)) || document.document().map(facts::deploy_of) == Some(Deploy::Write)
}

/// HEAD gets the head alone.
fn without_body(facts: &VisitFacts, response: Response<Body>) -> Response<Body> {
    if facts.is_head { response.map(|_| Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())) } else { response }
}

/// What is told to a visitor who takes a page from these.
pub(super) fn thin_boot(
    (document, page): (&Asset, &PageManifest),
    ticket: Ticket,
    (offers, crowd): (Vec<Offer>, CrowdRole),
    scripts: &Scripts,
    stun: Vec<u16>,
) -> ThinBoot {
    // Who is behind the same address needs nothing from outside. What kind of NAT it is, seeders tell.
    let stun = stun.into_iter().take(usize::from(offers.iter().any(|offer| offer.far))).collect();
    ThinBoot {
        version: BOOT_VERSION,
        page: page_path(document).to_owned(),
        manifest: page.manifest,
        bytes: page.bytes,
        critical: page.critical,
        ticket,
        offers,
        deploy: document.document().map_or(Deploy::Reload, facts::deploy_of),
        crowd: crowd != CrowdRole::None,
        first: crowd == CrowdRole::First,
        script: (crowd != CrowdRole::None).then(|| scripts.crowd_tag()),
        stun,
    }
}

/// The thin answer. HEAD gets its head.
fn thin_answer(app: &App, visit: &RenderedVisit<'_>, page: PageManifest, (offers, crowd): (Vec<Offer>, CrowdRole)) -> Response<Body> {
    let RenderedVisit { version, document, request, facts, .. } = *visit;
    span::note_ticket(facts.ticket);
    let boot = thin_boot((document, &page), facts.ticket, (offers, crowd), &app.scripts, app.stun_ports(&facts.addr));
    let response = thin::respond(request, &app.scripts, &document.record(), (document.document(), &version.looks(document)), &boot);
    // Of a length that is not told: that of a GET depends on the offers, and HEAD reserves none.
    without_body(facts, response)
}

/// Names the manifest of a full answer.
pub(super) fn name_manifest(response: &mut Response<Body>, page: Option<PageManifest>) {
    if let Some(manifest) = page.and_then(|page| HeaderValue::try_from(page.manifest.to_string()).ok()) {
        response.headers_mut().insert(VIRAL_MANIFEST, manifest);
    }
}
