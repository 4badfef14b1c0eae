//! Headers and cookies of documents, whichever answer they are.

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use viral_site::Version;
use viral_swarm::admission::{CookieState, Decision, Evidence};
use viral_swarm::visits::AnswerKind;

use super::observe::Visitor;
use super::span;
use crate::app::App;
use crate::client::socket_of;
use crate::headers::VIRAL_ANSWER;
use crate::stats::Cause;
use viral_swarm::request::{cookies, same_origin};

/// What decides differently for each visitor must not be shared; what changes with a deploy must be asked for again.
const DOCUMENT_CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Says which answer this is, and counts it.
pub(crate) fn set_answer_header(app: &App, response: &mut Response<Body>, decision: Decision) {
    let (kind, reason) = match decision {
        Decision::Full(reason) => (AnswerKind::Full, reason),
        Decision::Thin(reason) => (AnswerKind::Thin, reason),
        Decision::Plain(reason) => (AnswerKind::Plain, reason),
        Decision::Asset => return,
    };
    app.stats.add_answer(kind, reason.as_token());
    span::note_decision(kind, reason);
    if let Some(value) = decision.header().and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(VIRAL_ANSWER, value);
    }
}

/// No shared cache keeps a document, whoever asked for it and how: it would be given to visitors who are to get another answer.
pub(super) fn keep_private(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CACHE_CONTROL, DOCUMENT_CACHING);
}

/// Cookies of a document that was visited by this browser, if it can be told from others.
pub(super) fn set_document_headers(
    app: &App,
    response: &mut Response<Body>,
    (version, request): (&Version, &Parts),
    evidence: &Evidence,
    visitor: Option<Visitor>,
) {
    let scope = app.cookie_scope(socket_of(request), &request.headers);
    let answered = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if matches!(request.method, Method::GET | Method::HEAD) && answered {
        headers.append(header::SET_COOKIE, cookies::set_version(version.tag(), scope));
        if let Some(visitor) = visitor {
            headers.append(header::SET_COOKIE, visitor.cookie(scope));
        }
        // The loader sets its own cookie before it comes here; this is for where scripts do not run. A link on another site says nothing about this browser.
        if evidence.forced_plain && evidence.cookie == CookieState::None && same_origin::is_own_navigation(&request.headers) {
            headers.append(header::SET_COOKIE, cookies::set_incapable(scope));
        }
    }
}

/// Gives who is answered with a page leave to register for it.
pub(crate) fn set_join_ticket(app: &App, response: &mut Response<Body>, request: &Parts, page: &str) {
    let answered = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    if answered && cookies::visitor_state(&request.headers) != CookieState::Off {
        let scope = app.cookie_scope(socket_of(request), &request.headers);
        response.headers_mut().append(header::SET_COOKIE, app.joins.cookie(&request.headers, page, scope));
    }
}

/// Says what the bytes of an answer count as.
pub(super) fn with_cause(mut response: Response<Body>, cause: Cause) -> Response<Body> {
    response.extensions_mut().insert(cause);
    response
}
