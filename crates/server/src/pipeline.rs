//! The way of a request for the site: what it leads to, then *facts* (who asks for what), *admit* (the core decides), *render* (the answer), each in its room.

mod admit;
pub(crate) mod facts;
mod headers;
mod observe;
mod personal;
mod render;
pub(crate) mod span;
mod worker_script;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use http::{Method, Response, request::Parts};
use tracing::Instrument as _;
use viral_swarm::admission::{Decision, Evidence, PageFitness, Reason, decide};
use viral_swarm::pageset::Size;

use crate::app::App;
use crate::meter::Meter;
use crate::pages::page_path;
use crate::stats::Cause;
use viral_site::{Asset, Resolved, Version, Which, respond, respond_not_found, respond_redirect};
use viral_swarm::request::{cookies, evidence};

pub(crate) use headers::set_answer_header;
pub(crate) use headers::set_join_ticket;
use headers::{keep_private, set_document_headers, with_cause};
use observe::Visitor;
pub(crate) use observe::{PartOf, Passing};
pub(crate) use personal::{PersonalVisit, boot};
use render::RenderedVisit;
pub(crate) use worker_script::{WorkerScript, is_asked as is_worker_asked};

/// Answers everything that is not under `/.viral/`.
pub(crate) async fn answer(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    answer_parts(&app, &request).await
}

/// The same past the router and its layers, of what is plainly the site's: says to the connection what the answer is for.
pub(crate) async fn answer_plainly(app: &App, request: &Parts, meter: &Meter) -> Response<Body> {
    let response = answer_parts(app, request).await;
    meter.set_cause(Cause::of_answer(&response, Cause::Documents));
    response
}

/// The same of a request whose body nobody needs.
async fn answer_parts(app: &App, request: &Parts) -> Response<Body> {
    if !is_worker_asked(app, request) {
        return site_answer(app, request).await;
    }
    Box::pin(async move {
        let mut request = request.clone();
        let script = WorkerScript::prepare(&mut request, app);
        script.answer(app, site_answer(app, &request).await).await
    })
    .await
}

/// What the site has for a request, as it is now.
async fn site_answer(app: &App, request: &Parts) -> Response<Body> {
    let current = app.site.current();
    let told = evidence::goes_there(&request.headers);
    let goes_there = told.unwrap_or(false);
    let path = request.uri.path();
    let resolved = if goes_there { current.resolve_visit(path) } else { current.resolve(path) };
    // Browsers without fetch metadata do not say what they want: a document is taken for a visit, and nothing for one where no page came before.
    let looks_visited = match &resolved {
        Resolved::Asset(asset) => asset.is_page(),
        Resolved::NotFound(_) => !names_a_part(path) && cookies::pinned_version(&request.headers).is_none(),
        Resolved::Redirect(_) => false,
    };
    if !told.unwrap_or(looks_visited) {
        return part_answer(app, current, resolved, request).await;
    }
    // Read for visits alone: most requests are for parts of a page, and telling a bot takes longer than finding an asset.
    let evidence = facts::of_request(request);
    // On the heap: each connection has room for the whole of its answer's future, and most never answer a visit.
    Box::pin(visit_answer(app, &current, resolved, request, evidence).instrument(span::of_visit(app, request))).await
}

/// Answers somebody who goes to an address, from the current version.
async fn visit_answer(app: &App, current: &Version, resolved: Resolved, request: &Parts, evidence: Evidence) -> Response<Body> {
    match resolved {
        Resolved::Asset(document) if document.is_document() => document_answer(app, current, &document, request, evidence).await,
        Resolved::Asset(page) if page.is_page() => unfit_answer(app, current, &page, request, evidence).await,
        Resolved::NotFound(page) => not_found_answer(app, current, page.as_deref(), request, evidence).await,
        Resolved::Asset(_) | Resolved::Redirect(_) => bare_answer(current, resolved, request).await,
    }
}

/// A document of the current version, for whoever asks.
async fn document_answer(app: &App, version: &Version, document: &Asset, request: &Parts, evidence: Evidence) -> Response<Body> {
    let visitor = Visitor::of(request, &evidence);
    let evidence = Evidence { lot: visitor.map(|visitor| visitor.lot(app)), ..evidence };
    let mut facts = facts::of_visit(app, (version, document), request, evidence);
    if let Some(cluster) = &app.cluster {
        facts.foreign = admit::foreign(app, cluster, (version, document), request, &facts).await;
    }
    let (page, admission) = admit::admit(app, (version, document), request, &facts);
    render::render(app, &RenderedVisit { version, document, request, facts: &facts, visitor, page }, admission).await
}

/// How somebody would be answered who goes to a page now, as far as the request that asks tells; none where there is no page. Nobody is introduced, nothing is counted.
pub(crate) fn would_be(app: &App, request: &Parts, path: &str) -> Option<Decision> {
    let version = app.site.current();
    let document = match version.resolve_visit(path) {
        Resolved::Asset(asset) if asset.is_document() => asset,
        Resolved::Asset(_) | Resolved::Redirect(_) => return None,
        // The service behind the site may make it for each visitor.
        Resolved::NotFound(_) => Arc::clone(version.personal()?),
    };
    let is_personal = version.personal().is_some_and(|personal| Arc::ptr_eq(personal, &document));
    let lot = cookies::browser(&request.headers).map(|browser| app.worth.lot_of(browser));
    let mut facts = facts::of_visit(app, (&version, &document), request, Evidence { lot, ..facts::as_visit(request) });
    facts.is_head = true;
    let (_, admission) = app.hub.admit((&version, &document), &facts, |_| false, &app.policy);
    Some(match admission.decision() {
        Decision::Full(_) | Decision::Thin(_) if is_personal => Decision::Full(Reason::NotShareable),
        decision @ (Decision::Full(_) | Decision::Thin(_) | Decision::Plain(_) | Decision::Asset) => decision,
    })
}

/// Whether a path is by its extension that of something a page needs, not of a page.
fn names_a_part(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_some_and(|(_, extension)| !matches!(extension, "html" | "htm" | "xhtml"))
}

/// Something that a page needs: from the version that the page came from, so that nobody ever sees a mix.
async fn part_answer(app: &App, current: Arc<Version>, resolved: Resolved, request: &Parts) -> Response<Body> {
    let pinned =
        cookies::pinned_version(&request.headers).filter(|tag| *tag != current.tag() && !evidence::is_for_worker(&request.headers));
    let (version, resolved) = match pinned.and_then(|tag| app.site.version_tagged(tag)) {
        Some(version) => {
            let resolved = version.resolve(request.uri.path());
            (version, resolved)
        }
        None => (current, resolved),
    };
    let kept = || app.site.kept_by_name(request.uri.path());
    let (version, resolved) = match resolved {
        Resolved::NotFound(page) => match kept() {
            Some((version, asset)) => (version, Resolved::Asset(asset)),
            None => (version, Resolved::NotFound(page)),
        },
        found @ (Resolved::Asset(_) | Resolved::Redirect(_)) => (version, found),
    };
    let asset = if let Resolved::Asset(asset) = &resolved { Some(Arc::clone(asset)) } else { None };
    let mut response = bare_answer(&version, resolved, request).await;
    if let Some(page) = asset.as_deref().filter(|asset| asset.is_document() && is_asked_anew(request)) {
        set_join_ticket(app, &mut response, request, page_path(page));
    }
    match asset {
        Some(asset) => observe::part(app, &version, &asset, request, response),
        None => response,
    }
}

/// Whether a page that is shown asks for itself once more, since its join ticket ran out.
fn is_asked_anew(request: &Parts) -> bool {
    request.method == Method::HEAD && request.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

/// As any good static server would.
async fn bare_answer(version: &Version, resolved: Resolved, request: &Parts) -> Response<Body> {
    match resolved {
        Resolved::Asset(asset) => {
            let mut response = respond(version, &asset, Which::Raw, request).await;
            if asset.is_page() {
                keep_private(&mut response);
            }
            with_cause(response, Cause::Assets)
        }
        Resolved::Redirect(redirect) => with_cause(respond_redirect(version, &redirect, request), Cause::Documents),
        Resolved::NotFound(page) => with_cause(respond_not_found(version, page.as_deref(), Which::Raw, request).await, Cause::Documents),
    }
}

/// Somebody came to an address at which there is nothing.
async fn not_found_answer(app: &App, version: &Version, page: Option<&Asset>, request: &Parts, evidence: Evidence) -> Response<Body> {
    let decision = decide(&Evidence { page_viral: PageFitness::NotFound, ..evidence }, &app.policy);
    let mut response = respond_not_found(version, page, Which::Raw, request).await;
    set_answer_header(app, &mut response, decision);
    with_cause(response, Cause::Documents)
}

/// A page that cannot travel, whoever asks: nothing can be added to it.
async fn unfit_answer(app: &App, version: &Version, page: &Asset, request: &Parts, evidence: Evidence) -> Response<Body> {
    let page_viral = if page.is_alien_text() { PageFitness::Encoding } else { PageFitness::NoManifest };
    // Its references were never read, so size is not what rules it out.
    let evidence = Evidence { page_viral, size: Size::Unknown { at_least: u64::MAX }, ..evidence };
    let decision = decide(&evidence, &app.policy);
    let mut response = respond(version, page, Which::Raw, request).await;
    set_answer_header(app, &mut response, decision);
    keep_private(&mut response);
    if decision != Decision::Asset {
        set_document_headers(app, &mut response, (version, request), &evidence, Visitor::of(request, &evidence));
    }
    with_cause(response, Cause::Documents)
}

#[cfg(test)]
mod tests;
