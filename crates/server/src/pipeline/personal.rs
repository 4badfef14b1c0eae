//! Pages that the service behind the site makes for each visitor: they come from it each time, and what they load travels.
//!
//! Such a page is streamed by with the tag of one script of ours in its head. All of them are one page to the tracker, whose set is what they load.

mod body;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use viral_site::{Asset, Coding, HeadInsertion, Version, accepted, csp};
use viral_swarm::admission::{Admission, CrowdRole, Decision, Evidence, Reason, takes_part};
use viral_swarm::personal::{OF_THE_BYTES, is_for_many, is_of_file, is_page, is_readable, keep_from_shared_caches, tags};
use viral_swarm::visits::{AnswerKind, Opening};
use viral_wire::Digest;
use viral_wire::signal::ThinBoot;

use super::headers::{set_answer_header, set_document_headers, set_join_ticket};
use super::observe::{Opened, Visitor};
use super::{facts, observe, render};
use crate::app::App;
use crate::pages::{PageManifest, page_path};
use body::Streamed;
use std::sync::Arc;
use viral_swarm::request::cookies;

/// Somebody goes to an address that the site leaves to the service behind it.
pub(crate) struct PersonalVisit {
    request: Parts,
    version: Arc<Version>,
    document: Arc<Asset>,
    evidence: Evidence,
    visitor: Option<Visitor>,
    page: PageManifest,
    /// What such pages load is worth peers, and nothing about the visitor rules them out.
    takes_part: bool,
}

impl PersonalVisit {
    /// Of a request that says that somebody goes there; none where that is no page, or the site knows no pages of others.
    pub(crate) fn of(app: &App, request: &Parts) -> Option<Self> {
        if is_of_file(request.uri.path()) {
            return None;
        }
        let version = app.site.current();
        let document = Arc::clone(version.personal()?);
        app.site.note_visit();
        let evidence = facts::of_request(request);
        let visitor = Visitor::of(request, &evidence);
        let evidence = Evidence { lot: visitor.map(|visitor| visitor.lot(app)), ..evidence };
        let facts = facts::of_visit(app, (&version, &document), request, evidence);
        let page = app.hub.page(&version, &document)?;
        let takes_part = takes_part(&facts, &page.facts(page_path(&document)), &app.policy);
        Some(Self { request: request.clone(), version, document, evidence: facts.evidence, visitor, page, takes_part })
    }

    /// Asks the service for a body that can be added to: whole, in no coding but gzip, and compared only with one that we added to.
    pub(crate) fn prepare(&self, app: &App, headers: &mut HeaderMap) {
        if !self.takes_part {
            return;
        }
        let coding = if accepted(headers).contains(&Coding::Gzip) { "gzip" } else { "identity" };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
        tags::ask_for_whole(headers, app.scripts.tag_suffix());
    }

    /// What the visitor gets of the answer of the service.
    pub(crate) fn answer(self, app: &App, response: Response<Body>) -> Response<Body> {
        let is_unchanged = self.takes_part && response.status() == StatusCode::NOT_MODIFIED;
        if !is_unchanged && !is_page(&response) {
            return response;
        }
        let (mut response, decision) = if is_unchanged {
            (response, Decision::Full(Reason::NotShareable))
        } else {
            match self.nonce(app, response.headers()) {
                Some(nonce) => (self.added(app, response, nonce.as_deref()), Decision::Full(Reason::NotShareable)),
                None => (response, Decision::Plain(Reason::NotShareable)),
            }
        };
        if let Decision::Full(_) = decision {
            tags::make_ours(response.headers_mut(), app.scripts.tag_suffix());
            if self.request.headers.contains_key("service-worker-navigation-preload") {
                render::name_manifest(&mut response, Some(self.page));
            }
        }
        set_answer_header(app, &mut response, decision);
        // What a shared cache gives to many stays as it is.
        if matches!(decision, Decision::Plain(_)) && is_for_many(response.headers()) {
            return response;
        }
        set_document_headers(app, &mut response, (&self.version, &self.request), &self.evidence, self.visitor);
        if let Decision::Full(_) = decision {
            set_join_ticket(app, &mut response, &self.request, page_path(&self.document));
        }
        keep_from_shared_caches(response.headers_mut());
        // Its addition comes whenever the script in the head asks for it.
        let opened = Opened { page: page_path(&self.document), visitor: self.visitor, is_timed: false };
        observe::document(app, &self.request, response, decision, &opened)
    }

    /// The nonce that our tag needs, if any; none where nothing of ours can be put into the page.
    fn nonce(&self, app: &App, headers: &HeaderMap) -> Option<Option<String>> {
        let policies = ["content-security-policy", "content-security-policy-report-only"].iter().flat_map(|name| headers.get_all(*name));
        let policies: Option<Vec<&str>> = policies.map(|value| value.to_str().ok()).collect();
        if !self.takes_part || !is_readable(headers) {
            return None;
        }
        csp::nonce_for(policies?, facts::origin_of(app, &self.request))
    }

    /// The page with our tag in its head.
    fn added(&self, app: &App, response: Response<Body>, nonce: Option<&str>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        for name in OF_THE_BYTES {
            head.headers.remove(name);
        }
        let was_gzip = head.headers.remove(header::CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
        // Whoever behind us compresses nothing may have a reason to: what is secret in a page can be guessed by its length.
        let to_gzip = was_gzip && accepted(&self.request.headers).contains(&Coding::Gzip);
        if to_gzip {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(Coding::Gzip.token()));
        }
        if self.request.method == Method::HEAD {
            return Response::from_parts(head, Body::empty());
        }
        let streamed = Streamed::new(body, HeadInsertion::new(&app.scripts.beside_tag(nonce)), (was_gzip, to_gzip));
        Response::from_parts(head, streamed.into_body())
    }
}

/// Whom a page that is made for its visitor takes from what it loads: none where nobody near has it, it may not, or it `held` all of this manifest when it was here last.
pub(crate) fn boot(app: &App, request: &Parts, held: Option<Digest>) -> Option<ThinBoot> {
    let version = app.site.current();
    let document: &Asset = version.personal()?;
    // The page itself was gone to, and asks for this.
    let lot = cookies::browser(&request.headers).map(|browser| app.worth.lot_of(browser));
    let evidence = Evidence { lot, ..facts::as_visit(request) };
    let mut facts = facts::of_visit(app, (&version, document), request, evidence);
    facts.may_share = false;
    let (page, admission) = app.hub.admit((&version, document), &facts, |manifest| held == Some(*manifest), &app.policy);
    let (Some(page), Admission::Thin { offers, .. }) = (page, admission) else { return None };
    // From now on it is heard of as one that takes from peers.
    if let Some(browser) = cookies::browser(&request.headers) {
        let (address, page) = (facts.addr.public, page_path(document));
        app.hub.visits().open(&Opening { browser, address, page, kind: AnswerKind::Thin, is_first: false });
    }
    // Nothing is waited for: the page is there.
    Some(ThinBoot {
        critical: 0,
        ..render::thin_boot((document, &page), facts.ticket, (offers, CrowdRole::None), &app.scripts, app.stun_ports(&facts.addr))
    })
}

#[cfg(test)]
mod tests;
