//! The way of a request for the site: find it, judge the page, decide, answer.

mod evidence;
mod observe;
mod stored;
mod thin;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use rand::RngCore as _;
use tokio::time::{Instant, sleep, sleep_until};
use viral_swarm::admission::{CookieState, Decision, Evidence, PageFitness, Reason, decide};
use viral_swarm::firstcopy::Comer;
use viral_swarm::pageset::Size;
use viral_swarm::tracker::Seeking;
use viral_swarm::visits::AnswerKind;
use viral_wire::limits::BOOT_VERSION;
use viral_wire::signal::{Deploy, ThinBoot};
use viral_wire::{AssetRecord, Ticket};

use crate::app::App;
use crate::client::Socket;
use crate::config::OwnServiceWorker;
use crate::cookies;
use crate::csp::{self, PageOrigin};
use crate::files::{Asset, Resolved, Version, Which, is_known, respond, respond_not_found, respond_redirect};
use crate::limits::{THIN_OFFERS_MAX, WAITING_LOOK};
use crate::origin;
use crate::pages::{Current, page_path};
use crate::stats::Cause;

pub(crate) use observe::PartOf;
use observe::Visitor;

/// Which answer this is and why.
const VIRAL_ANSWER: HeaderName = HeaderName::from_static("viral-answer");

/// The page's manifest, for a peer that nobody else would give it.
const VIRAL_MANIFEST: HeaderName = HeaderName::from_static("viral-manifest");

/// What decides differently for each visitor must not be shared; what changes with a deploy must be asked for again.
const DOCUMENT_CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Answers everything that is not under `/.viral/`.
pub(crate) async fn answer(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    let came = Instant::now();
    loop {
        // Only a visit that waits while the site changes is answered anew.
        if let Some(response) = current_answer(&app, &request, came).await {
            return response;
        }
    }
}

/// Answers from the site as it is now, to somebody who came at `came`; none if it changed meanwhile.
async fn current_answer(app: &App, request: &Parts, came: Instant) -> Option<Response<Body>> {
    let evidence = evidence::of_request(request);
    let current = app.site.current();
    let goes_there = evidence.fetch_dest.as_deref() == Some("document") || evidence.is_passed_on();
    let path = request.uri.path();
    let resolved = if goes_there { current.resolve_visit(path) } else { current.resolve(path) };
    // Browsers without fetch metadata do not say what they want: a document is taken for a visit, and nothing for one where no page came before.
    let looks_visited = match &resolved {
        Resolved::Asset(asset) => asset.is_page(),
        Resolved::NotFound(_) => !names_a_part(path) && cookies::pinned_version(&request.headers).is_none(),
        Resolved::Redirect(_) => false,
    };
    let is_visit = if evidence.has_sec_fetch { goes_there } else { looks_visited };
    if !is_visit {
        return Some(part_answer(app, current, resolved, request).await);
    }
    Some(match resolved {
        Resolved::Asset(document) if document.is_document() => {
            return document_answer(app, &current, &document, request, (evidence, came)).await;
        }
        Resolved::Asset(page) if page.is_page() => unfit_answer(app, &current, &page, request, evidence).await,
        Resolved::NotFound(page) => not_found_answer(app, &current, page.as_deref(), request, evidence).await,
        Resolved::Asset(_) | Resolved::Redirect(_) => bare_answer(&current, resolved, request).await,
    })
}

/// Whether a path is by its extension that of something a page needs, not of a page.
fn names_a_part(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_some_and(|(_, extension)| !matches!(extension, "html" | "htm" | "xhtml"))
}

/// Something that a page needs: from the version that the page came from, so that nobody ever sees a mix.
async fn part_answer(app: &App, current: Arc<Version>, resolved: Resolved, request: &Parts) -> Response<Body> {
    let pinned = cookies::pinned_version(&request.headers).filter(|tag| *tag != current.tag());
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
    let response = bare_answer(&version, resolved, request).await;
    match asset {
        Some(asset) => observe::part(app, &version, &asset, request, response),
        None => response,
    }
}

/// As any good static server would.
async fn bare_answer(version: &Version, resolved: Resolved, request: &Parts) -> Response<Body> {
    match resolved {
        Resolved::Asset(asset) => {
            let mut response = respond(version, &asset, Which::Raw, request).await;
            if asset.is_page() {
                keep_private(&mut response);
            }
            caused(response, Cause::Assets)
        }
        Resolved::Redirect(path) => caused(respond_redirect(version, &path, request), Cause::Documents),
        Resolved::NotFound(page) => caused(respond_not_found(version, page.as_deref(), Which::Raw, request).await, Cause::Documents),
    }
}

/// Somebody came to an address at which there is nothing.
async fn not_found_answer(app: &App, version: &Version, page: Option<&Asset>, request: &Parts, evidence: Evidence) -> Response<Body> {
    let decision = decide(&Evidence { page_viral: PageFitness::NotFound, ..evidence }, &app.policy);
    let mut response = respond_not_found(version, page, Which::Raw, request).await;
    mark(app, &mut response, decision);
    caused(response, Cause::Documents)
}

/// A page that cannot travel, whoever asks: nothing can be added to it.
async fn unfit_answer(app: &App, version: &Version, page: &Asset, request: &Parts, evidence: Evidence) -> Response<Body> {
    let page_viral = if page.is_alien_text() { PageFitness::Encoding } else { PageFitness::NoManifest };
    // Its references were never read, so size is not what rules it out.
    let evidence = Evidence { page_viral, size: Size::Unknown { at_least: u64::MAX }, ..evidence };
    let decision = decide(&evidence, &app.policy);
    let mut response = respond(version, page, Which::Raw, request).await;
    mark(app, &mut response, decision);
    keep_private(&mut response);
    if decision != Decision::Asset {
        dress(app, &mut response, version, request, &evidence);
    }
    caused(response, Cause::Documents)
}

/// A document of the current version, for whoever asks; none if there is another version before it is answered.
async fn document_answer(
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
            thin = thin_answer(app, document, request, page, seeking, judged.deploy);
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
    document: &Asset,
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
    let response = thin::respond(request, &document.record(), document.document(), &boot);
    // Of a length that is not told: that of a GET depends on the offers, and HEAD reserves none.
    Some(if is_head { response.map(|_| Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())) } else { response })
}

/// Says which answer this is, and counts it.
fn mark(app: &App, response: &mut Response<Body>, decision: Decision) {
    let (kind, reason) = match decision {
        Decision::Full(reason) => (AnswerKind::Full, reason),
        Decision::Thin(reason) => (AnswerKind::Thin, reason),
        Decision::Plain(reason) => (AnswerKind::Plain, reason),
        Decision::Asset => return,
    };
    app.stats.add_answer(kind, reason.as_token());
    if let Some(value) = decision.header().and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(VIRAL_ANSWER, value);
    }
}

/// Names the manifest of a full answer. A browser's worker may store what the page shares with others. A native peer hears of it only if it comes first, and
/// otherwise from the tracker, two round trips later.
fn name_manifest(app: &App, response: &mut Response<Body>, request: &Parts, page: Current, is_native: bool) {
    let is_told = !is_native || (request.method == Method::GET && app.hub.take_first_place(page.manifest));
    if is_told && let Ok(manifest) = HeaderValue::try_from(page.manifest.to_string()) {
        response.headers_mut().insert(VIRAL_MANIFEST, manifest);
    }
}

/// No shared cache keeps a document, whoever asked for it and how: it would be given to visitors who are to get another answer.
fn keep_private(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CACHE_CONTROL, DOCUMENT_CACHING);
}

/// Cookies of a document that was visited. Returns the browser, if it can be told from others.
fn dress(app: &App, response: &mut Response<Body>, version: &Version, request: &Parts, evidence: &Evidence) -> Option<Visitor> {
    let visitor = Visitor::of(request, evidence);
    let tls = app.came_over_tls(Socket::of(request), &request.headers);
    let answered = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if matches!(request.method, Method::GET | Method::HEAD) && answered {
        headers.append(header::SET_COOKIE, cookies::set_version(version.tag(), tls));
        if let Some(visitor) = visitor {
            headers.append(header::SET_COOKIE, visitor.cookie(tls));
        }
        // The loader sets its own cookie before it comes here; this is for where scripts do not run. A link on another site says nothing about this browser.
        if evidence.forced_plain && evidence.cookie == CookieState::None && origin::is_own_navigation(&request.headers) {
            headers.append(header::SET_COOKIE, cookies::set_incapable(tls));
        }
    }
    visitor
}

/// Whether a page can travel, and how it is put in place.
struct Judged {
    fitness: PageFitness,
    deploy: Deploy,
}

impl Judged {
    fn of(app: &App, version: &Version, asset: &Asset, request: &Parts, page: Option<Current>) -> Self {
        let unfit = |fitness| Self { fitness, deploy: Deploy::Reload };
        let record = asset.record();
        let Some(document) = asset.document().filter(|_| !is_saved(&record)) else { return unfit(PageFitness::NotHtml) };
        let own_worker = match app.own_service_worker {
            OwnServiceWorker::Auto => version.own_service_worker() || page.is_some_and(|page| page.own_worker),
            OwnServiceWorker::Yes => true,
            OwnServiceWorker::No => false,
        };
        if own_worker {
            return unfit(PageFitness::OwnServiceWorker);
        }
        if page.is_none() {
            return unfit(PageFitness::NoManifest);
        }
        let policies = record.headers.iter().filter(|(name, _)| csp::is_policy(name)).map(|(_, value)| value.as_str());
        let metas = document.meta_csp.iter().map(String::as_str);
        if !csp::allows(policies, metas, origin_of(app, request)) {
            return unfit(PageFitness::Csp);
        }
        // The loader is a classic script without modules, so an import map of the page is the first there is (docs/DECISIONS.md 41).
        let write = document.utf8;
        Self { fitness: PageFitness::Fit, deploy: if write { Deploy::Write } else { Deploy::Reload } }
    }
}

/// Whether the operator has browsers save it instead of showing it.
fn is_saved(record: &AssetRecord) -> bool {
    let mut dispositions = record.headers.iter().filter(|(name, _)| name == "content-disposition").map(|(_, value)| value.trim_start());
    dispositions.any(|value| value.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("attachment")))
}

fn origin_of<'a>(app: &App, request: &'a Parts) -> PageOrigin<'a> {
    let tls = app.came_over_tls(Socket::of(request), &request.headers);
    PageOrigin { scheme: if tls { "https" } else { "http" }, host: app.host(Socket::of(request), &request.headers) }
}

fn fresh_ticket() -> Ticket {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    Ticket(bytes)
}

fn caused(mut response: Response<Body>, cause: Cause) -> Response<Body> {
    response.extensions_mut().insert(cause);
    response
}

#[cfg(test)]
mod tests;
