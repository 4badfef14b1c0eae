//! The span of a visit, at debug level: which page was opened, which answer it got and why. Costs nothing while nobody listens to it.

use tracing::field::{Empty, display};
use tracing::{Level, Span, debug, debug_span, enabled};
use viral_swarm::admission::Reason;
use viral_swarm::visits::AnswerKind;
use viral_wire::Ticket;

/// How many hex digits of a ticket a log shows: enough to find a visit again, and 24 of the 32 stay secret.
const TICKET_SHOWN_LEN: usize = 8;

/// Of somebody who opens this path. Answer, reason and ticket are told later.
pub(super) fn of_visit(path: &str) -> Span {
    debug_span!("visit", page = path, answer = Empty, reason = Empty, ticket = Empty)
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
