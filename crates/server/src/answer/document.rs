//! A document of the site: who gets which answer, who waits for somebody else's copy, and what goes with each.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Response, header, request::Parts};
use rand::RngCore as _;
use tokio::time::{Instant, sleep, sleep_until};
use viral_swarm::admission::{Decision, Evidence, Reason, decide};
use viral_swarm::firstcopy::Comer;
use viral_swarm::tracker::Seeking;
use viral_wire::Ticket;
use viral_wire::limits::BOOT_VERSION;
use viral_wire::signal::{Deploy, ThinBoot};

use super::judged::Judged;
use super::{VIRAL_MANIFEST, caused, dress, keep_private, mark, observe, stored, thin};
use crate::app::App;
use crate::client::Socket;
use crate::cookies;
use crate::limits::{THIN_OFFERS_MAX, WAITING_LOOK};
use crate::pages::{Current, page_path};
use crate::stats::Cause;
use viral_site::{Asset, Version, Which, is_known, respond};

/// A document of the current version, for whoever asks; none if there is another version before it is answered.
pub(super) async fn document_answer(
    app: &App,
    version: &Version,
    document: &Asset,
    request: &Parts,
    (evidence, came): (Evidence, Instant),
) -> Option<Response<Body>> {
    let page = app.hub.page(version, document);
    let judged = Judged::of(app, version, document, request, page);
    let seeking = page.map(|page| Seeking {
        addr: app.client_addr(Socket::of(request), &request.headers),
        page: page_path(document),
        manifest: page.manifest,
        wanted: THIN_OFFERS_MAX,
        ticket: fresh_ticket(),
    });
    let mut evidence = Evidence {
        page_viral: judged.fitness,
        size: page.map(|page| page.size).unwrap_or_default(),
        stored: page.is_some_and(|page| stored::names(&request.headers, &page.manifest)),
        unchanged: is_known(document, Which::Full, &request.headers),
        ..evidence
    };
    // Whoever reloads the page was the first one, perhaps: it would wait for itself.
    let is_served_at_once = evidence.shares || cookies::pinned_version(&request.headers).is_some();
    let mut readied = app.hub.readied();
    let mut versions = app.site.subscribe();
    let mut place = None;
    let (decision, thin) = loop {
        readied.borrow_and_update();
        evidence.peers_ready = seeking.as_ref().map_or(0, |seeking| app.hub.ready(seeking));
        let mut decision = decide(&evidence, &app.policy);
        let mut thin = None;
        if let (Decision::Thin(Reason::Stored), Some(page)) = (decision, page) {
            thin = Some(stored::respond(request, &page.manifest));
        } else if let (Decision::Thin(_), Some(page), Some(seeking)) = (decision, page, &seeking) {
            thin = thin_answer(app, (version, document), request, page, seeking, judged.deploy);
            if thin.is_none() {
                decision = Decision::Full(Reason::NoPeerNear);
            }
        }
        let until = match (decision, &seeking) {
            (Decision::Full(Reason::NoPeerNear), Some(seeking)) if request.method == Method::GET => {
                let (manifest, address) = (seeking.manifest, seeking.addr.public);
                let bytes = page.map_or(0, |page| page.app_bytes);
                let comer = Comer { manifest, address, bytes, came_ms: app.hub.ms_of(came), is_served_at_once };
                app.hub.wait_for_copy(&comer)
            }
            _ => None,
        };
        let Some(until) = until else { break (decision, thin) };
        place = place.or_else(|| app.waiting.try_acquire().ok());
        if place.is_none() {
            break (decision, thin);
        }
        if app.site.current().tag() != version.tag() {
            return None;
        }
        tokio::select! {
            // What happens together is looked at once.
            _ = readied.changed() => sleep(WAITING_LOOK).await,
            () = sleep_until(until) => {}
            _ = versions.changed() => return None,
            () = app.shutdown.begun() => break (decision, thin),
        }
    };
    Some(decided_answer(app, version, document, request, Decided { decision, thin, page, evidence }).await)
}

/// What is to be answered, and what is known of the visitor.
struct Decided {
    decision: Decision,
    /// The thin answer, where that is the decision.
    thin: Option<Response<Body>>,
    page: Option<Current>,
    evidence: Evidence,
}

/// Carries out a decision, with the headers that go with it.
async fn decided_answer(app: &App, version: &Version, document: &Asset, request: &Parts, decided: Decided) -> Response<Body> {
    let Decided { decision, thin, page, evidence } = decided;
    let which = if matches!(decision, Decision::Full(_)) { Which::Full } else { Which::Raw };
    let mut response = match thin {
        Some(thin) => thin,
        None => caused(
            respond(version, document, which, request).await,
            if decision == Decision::Asset { Cause::Assets } else { Cause::Documents },
        ),
    };
    mark(app, &mut response, decision);
    if let (Decision::Full(_), Some(page)) = (decision, page) {
        name_manifest(app, &mut response, request, page, evidence.shares);
    }
    keep_private(&mut response);
    let visitor = if decision == Decision::Asset { None } else { dress(app, &mut response, version, request, &evidence) };
    if decision == Decision::Thin(Reason::Stored) {
        // It says what holds at this moment, to this visitor's worker.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if page.is_none() {
        return response;
    }
    observe::document(app, request, response, decision, (page_path(document), visitor))
}

/// The thin answer, unless the peers that were ready are gone. HEAD gets its head and reserves nobody.
fn thin_answer(
    app: &App,
    (version, document): (&Version, &Asset),
    request: &Parts,
    page: Current,
    seeking: &Seeking<'_>,
    deploy: Deploy,
) -> Option<Response<Body>> {
    let is_head = request.method == Method::HEAD;
    let offers = if is_head { Vec::new() } else { app.hub.offers_for(seeking) };
    if offers.is_empty() && !is_head {
        return None;
    }
    let boot = ThinBoot {
        version: BOOT_VERSION,
        page: seeking.page.to_owned(),
        manifest: page.manifest,
        bytes: page.bytes,
        critical: page.critical,
        ticket: seeking.ticket,
        offers,
        deploy,
        crowd: app.hub.is_crowded(&page.manifest),
    };
    let response = thin::respond(request, &app.scripts, &document.record(), (document.document(), &version.looks(document)), &boot);
    // Of a length that is not told: that of a GET depends on the offers, and HEAD reserves none.
    Some(if is_head { response.map(|_| Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())) } else { response })
}

/// Names the manifest of a full answer. A browser's worker may store what the page shares with others. A native peer hears of it only if it comes first, and
/// otherwise from the tracker, two round trips later.
fn name_manifest(app: &App, response: &mut Response<Body>, request: &Parts, page: Current, is_native: bool) {
    let is_told = !is_native || (request.method == Method::GET && app.hub.take_first_place(page.manifest));
    if is_told && let Ok(manifest) = HeaderValue::try_from(page.manifest.to_string()) {
        response.headers_mut().insert(VIRAL_MANIFEST, manifest);
    }
}

fn fresh_ticket() -> Ticket {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    Ticket(bytes)
}
