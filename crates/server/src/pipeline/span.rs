//! The spans of requests, at debug level: of a visit, which page was opened, which answer it got and why; of what the service behind the site answers, what was asked. They cost nothing while nobody listens to them.

use http::request::Parts;
use tracing::field::{Empty, display};
use tracing::{Level, Span, debug, debug_span, enabled};
use viral_swarm::admission::Reason;
use viral_swarm::visits::AnswerKind;
use viral_wire::Ticket;

use crate::app::App;
use crate::client::socket_of;
use crate::traces;

/// How many hex digits of a ticket a log shows: enough to find a visit again, and 24 of the 32 stay secret.
const TICKET_SHOWN_LEN: usize = 8;

/// Of somebody who goes to a page. Answer, reason and ticket are told later.
pub(crate) fn of_visit(app: &App, request: &Parts) -> Span {
    let span = debug_span!("visit", page = request.uri.path(), answer = Empty, reason = Empty, ticket = Empty);
    begin(app, request, &span);
    span
}

/// Of any other request that the service behind the site answers.
pub(crate) fn of_passing(app: &App, request: &Parts) -> Span {
    let span = debug_span!("pass", method = %request.method, path = request.uri.path());
    begin(app, request, &span);
    span
}

/// Where somebody else listens, requests belong to that one's spans; where we do, to no connection, which outlives them.
fn begin(app: &App, request: &Parts, span: &Span) {
    if !span.is_disabled() && Span::current().metadata().is_none_or(traces::is_connection) {
        traces::begin(span, Some(&request.headers).filter(|_| app.trust_proxy.are(socket_of(request))));
    }
}

/// Tells the visit's span what was decided.
pub(super) fn note_decision(kind: AnswerKind, reason: Reason) {
    if enabled!(Level::DEBUG) {
        Span::current().record("answer", kind.as_token()).record("reason", reason.as_token());
        debug!("page answered");
    }
}

/// Tells the visit's span how the visitor's ticket begins. All of it is a secret of the visitor and the server.
pub(super) fn note_ticket(ticket: Ticket) {
    if enabled!(Level::DEBUG) {
        let digits = ticket.to_string();
        Span::current().record("ticket", display(&digits[..TICKET_SHOWN_LEN]));
    }
}
