//! What the server sees of visits: who opens a page, and what is sent to that visit afterwards.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use viral_swarm::admission::{CookieState, Decision, Evidence, Reason};
use viral_swarm::page_costs::Taken;
use viral_swarm::rollout::Lot;
use viral_swarm::visits::{AnswerKind, Asked, Opening};
use viral_swarm::worth::{Arm, Timed};

use crate::app::App;
use crate::client::socket_of;
use crate::observed::observed;
use crate::referer;
use crate::worth::WorthLog;
use viral_site::{Asset, Version};
use viral_swarm::request::cookies;
use viral_swarm::request::evidence;
use viral_swarm::request::same_origin;

/// A browser that opens a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    browser: u64,
    /// Nothing says that it was here before.
    is_first: bool,
}

impl Visitor {
    /// By its cookie or, if it has none, under a new number. None for who is not to be told from others (bots, tools, who opted out).
    pub(super) fn of(request: &Parts, evidence: &Evidence) -> Option<Self> {
        let is_told_apart = evidence.has_sec_fetch && !evidence.bot && !evidence.is_native_peer && evidence.cookie != CookieState::Off;
        if !is_told_apart {
            return None;
        }
        let known = cookies::browser(&request.headers);
        let is_conditional = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE].iter().any(|name| request.headers.contains_key(name));
        Some(Self { browser: known.unwrap_or_else(rand::random), is_first: known.is_none() && !is_conditional })
    }

    /// What it drew.
    pub(super) fn lot(&self, app: &App) -> Lot {
        app.worth.lot_of(self.browser)
    }

    /// The `Set-Cookie` that names it for another while.
    pub(super) fn cookie(&self, scope: cookies::Scope<'_>) -> HeaderValue {
        cookies::set_browser(self.browser, scope)
    }
}

/// A page that is opened.
pub(super) struct Opened<'o> {
    /// Its path.
    pub(super) page: &'o str,
    /// By whom, if it can be told from others.
    pub(super) visitor: Option<Visitor>,
    /// The page's clock runs from the wish for it to the app.
    pub(super) is_timed: bool,
}

/// A document is answered: begins a visit, if it is one, and counts its bytes.
pub(super) fn document(app: &App, request: &Parts, response: Response<Body>, decision: Decision, opened: &Opened<'_>) -> Response<Body> {
    let Opened { page, visitor, is_timed } = *opened;
    let kind = match decision {
        Decision::Full(_) => AnswerKind::Full,
        Decision::Thin(_) => AnswerKind::Thin,
        Decision::Plain(_) => AnswerKind::Plain,
        Decision::Asset => return response,
    };
    let answered = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    if request.method != Method::GET || !answered {
        return response;
    }
    if let Some(Visitor { browser, is_first }) = visitor {
        let address = app.address_of(socket_of(request), &request.headers);
        if is_first && kind == AnswerKind::Full {
            app.unasked.note_given();
        }
        app.hub.visits().open(&Opening { browser, address, page, kind, is_first });
        // Only of a cold cache it is known that all came now.
        let arm = Arm::of(decision).filter(|_| is_first && is_timed);
        let engine = evidence::engine_of(&request.headers);
        let gives_up =
            matches!(decision, Decision::Plain(Reason::Requested | Reason::Storage)) && same_origin::is_own_navigation(&request.headers);
        app.worth.begin(&Timed { browser, address, page, engine, kind, arm, is_timed }, gives_up);
    }
    let (hub, worth, page) = (Arc::clone(&app.hub), Arc::clone(&app.worth), page.to_owned());
    observed(response, move |bytes, _| {
        hub.costs().add_document(&page, bytes);
        if let Some(visitor) = visitor {
            worth.sent(visitor.browser, &page, bytes);
        }
    })
}

/// An asset is sent, to a visit perhaps: then it is noted once all of it was handed out, and its bytes are counted.
pub(super) fn part(app: &App, version: &Version, asset: &Asset, request: &Parts, response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let is_whole = matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED);
    if request.method != Method::GET || !(is_whole || status == StatusCode::PARTIAL_CONTENT) {
        return response;
    }
    app.unasked.note_part(version, &request.headers);
    let Some(part_of) = PartOf::of(app, version, &request.headers) else { return response };
    // Chromium asks whether the parts it has are still good, and hears 304: that is no use of the whole.
    let may_be_noted = is_whole && !asset.is_document() && !request.headers.contains_key(header::RANGE);
    let asked = if may_be_noted { part_of.asked(app, asset.path()) } else { None };
    sent(app, (part_of, asset.path().to_owned()), asked, response)
}

/// Notes what is sent of an asset under this path once all of it was handed out, and counts its bytes. With 304 the visitor has it.
fn sent(app: &App, (part_of, path): (PartOf, String), asked: Option<Asked>, response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::NOT_MODIFIED {
        if let Some(asked) = asked {
            app.hub.visits().sent(asked);
        }
        return response;
    }
    let (hub, worth) = (Arc::clone(&app.hub), Arc::clone(&app.worth));
    observed(response, move |bytes, whole| {
        if let Some(asked) = asked.filter(|_| whole) {
            hub.visits().sent(asked);
        }
        part_of.note_sent(&worth, bytes);
        hub.costs().add_asset(&part_of.page, &path, bytes, Taken::Whole, part_of.is_thin);
    })
}

/// A request that the service behind the site answers: what is sent counts as that of the site, which may have it a moment later.
pub(crate) struct Passing {
    part_of: PartOf,
    asked: Option<Asked>,
    path: String,
}

impl Passing {
    /// None for what is no part of a page that we know.
    pub(crate) fn of(app: &App, request: &Parts) -> Option<Self> {
        if request.method != Method::GET {
            return None;
        }
        let (path, part_of) = (request.uri.path().to_owned(), PartOf::of(app, &app.site.current(), &request.headers)?);
        let asked = if request.headers.contains_key(header::RANGE) { None } else { part_of.asked(app, &path) };
        Some(Self { part_of, asked, path })
    }

    /// Notes what is sent for it.
    pub(crate) fn observe(self, app: &App, response: Response<Body>) -> Response<Body> {
        let Self { part_of, asked, path } = self;
        match response.status() {
            StatusCode::OK | StatusCode::NOT_MODIFIED => sent(app, (part_of, path), asked, response),
            StatusCode::PARTIAL_CONTENT => sent(app, (part_of, path), None, response),
            _ => response,
        }
    }
}

/// The page that a request is part of.
pub(crate) struct PartOf {
    /// Its path.
    pub(crate) page: String,
    /// Whether it is known to have been answered thin.
    pub(crate) is_thin: bool,
    browser: Option<u64>,
    referer: Option<String>,
}

impl PartOf {
    /// So much was sent to the visit.
    pub(crate) fn note_sent(&self, worth: &WorthLog, bytes: u64) {
        if let Some(browser) = self.browser {
            worth.sent(browser, &self.page, bytes);
        }
    }

    /// The answer to a request for an asset under this path begins, in a visit that is known.
    fn asked(&self, app: &App, path: &str) -> Option<Asked> {
        self.browser.and_then(|browser| app.hub.visits().asked(browser, path, self.referer.as_deref()))
    }

    /// By the visit of the browser or, without one, by the referer alone. None if neither tells.
    pub(crate) fn of(app: &App, version: &Version, headers: &HeaderMap) -> Option<Self> {
        let browser = cookies::browser(headers);
        let referer = referer::of(version, headers);
        let path = referer.as_ref().map(|referer| referer.path.as_str());
        let visited = browser.and_then(|browser| app.hub.visits().page_of(browser, path));
        let (browser, page, is_thin) = match visited {
            Some((page, kind)) => (browser, page, kind == AnswerKind::Thin),
            None => (None, referer.as_ref().filter(|referer| referer.is_page)?.path.clone(), false),
        };
        Some(Self { page, is_thin, browser, referer: referer.map(|referer| referer.path) })
    }
}
