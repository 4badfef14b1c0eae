//! From the first request to the app, and what follows.

use viral_swarm::admission::CrowdRole;
use viral_swarm::client::{Session, SessionConfig};
use viral_wire::Piece;
use viral_wire::signal::Offer;

use super::{Answered, LOOK, Reason, Visitor};
use crate::app::PAGE;
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::message::{Request, VisitAnswer};
use crate::plan::Client;

/// Leechers a native visitor serves at once. `VISITOR_SLOTS` of the native peer.
const NATIVE_SLOTS: u8 = 16;

/// Leechers a browser serves at once. `SLOTS` of browser/src/shell/limits.ts.
const BROWSER_SLOTS: u8 = 8;

/// Connections that a browser opens to one server over HTTP/1.1.
const BROWSER_CONNECTIONS: u64 = 6;

/// From the app to a page that seeds: what the addition leaves the app alone, as a rule (`START_QUIET_MS` of the browser's limits, twice).
const JOIN_WAIT: Nanos = 1_000 * MS;

/// A visit of a native peer whose answer has not begun after this is made once more, on another connection. `VISIT_AGAIN` of the native peer.
const VISIT_AGAIN: Nanos = 8_000 * MS;

/// And after this nobody waits any longer: that, and `ANSWER_WAIT` of the native peer. Browsers wait as long as Linux sends its SYN again.
const NATIVE_WAIT: Nanos = 38_000 * MS;
/// See [`NATIVE_WAIT`].
const BROWSER_WAIT: Nanos = 127_000 * MS;

impl Visitor {
    /// It comes: the first request, and a native peer opens the tracker's connection ahead.
    pub fn handle_arrive(&mut self, context: &mut Context<'_>) {
        self.start = context.now;
        let endpoint = self.endpoint();
        self.http.request(context, endpoint, Request::Visit);
        self.visits = 1;
        context.timeline.push(context.now + LOOK, Event::Look(self.index));
        let plan = context.plan.visitors[self.index];
        if plan.client == Client::Native && !context.plan.is_plain {
            self.socket.open_ahead(context, endpoint);
        }
        if let Some(after) = plan.leaves_after {
            context.timeline.push(context.now + after, Event::Leave(self.index));
        }
    }

    /// The visit was not answered yet: it may be made once more. True: it is given up.
    pub(super) fn ask_again(&mut self, context: &mut Context<'_>) -> bool {
        let waited = context.now - self.start;
        let is_native = context.plan.visitors[self.index].client == Client::Native && !context.plan.is_plain;
        if waited >= if is_native { NATIVE_WAIT } else { BROWSER_WAIT } {
            self.reason = Some(Reason::Unanswered);
            return true;
        }
        if is_native && waited >= VISIT_AGAIN && self.visits == 1 {
            self.visits = 2;
            self.ask(context, Request::Visit);
        }
        false
    }

    pub(super) fn handle_visit(&mut self, context: &mut Context<'_>, answer: VisitAnswer) {
        if self.answered.is_some() {
            return;
        }
        let plan = context.plan.visitors[self.index];
        let is_native = plan.client == Client::Native;
        let slots = match (plan.leeches, plan.client) {
            (true, _) => 0,
            (false, Client::Native) => NATIVE_SLOTS,
            (false, Client::Browser) => BROWSER_SLOTS,
        };
        let (seed, page) = (context.random.next_u64(), PAGE.to_owned());
        let config = SessionConfig { seed, page, takes_page: true, meets: true, slots, ..SessionConfig::default() };
        match answer {
            VisitAnswer::Plain => {
                self.answered = Some(Answered::Plain);
                if is_native && !context.plan.is_plain {
                    self.begin(context, SessionConfig { meets: false, slots: 0, ..config }, Vec::new());
                } else {
                    self.load(context, 0);
                }
            }
            VisitAnswer::Full { manifest, version } => {
                self.answered = Some(Answered::Full);
                self.document = Some(version);
                if is_native {
                    self.begin(context, SessionConfig { manifest, in_crowd: true, ..config }, Vec::new());
                } else {
                    self.load(context, version);
                }
            }
            VisitAnswer::Thin { ticket, manifest, offers, crowd } => {
                self.answered = Some(Answered::Thin);
                self.ticket = Some(ticket);
                let (in_crowd, is_first) = (crowd != CrowdRole::None, crowd == CrowdRole::First);
                self.begin(context, SessionConfig { ticket: Some(ticket), manifest: Some(manifest), in_crowd, is_first, ..config }, offers);
            }
        }
    }

    /// The session begins, and one with the tracker.
    fn begin(&mut self, context: &mut Context<'_>, config: SessionConfig, offers: Vec<Offer>) {
        self.start = context.now;
        self.session = Some(Session::new(config, offers));
        self.pump(context);
        if let Some(session) = &self.session {
            self.socket.register = session.registration();
        }
        let endpoint = self.endpoint();
        self.socket.connect(context, endpoint);
    }

    /// A browser loads what the page names.
    fn load(&mut self, context: &mut Context<'_>, version: usize) {
        let Some(current) = context.versions.get(version) else { return };
        self.loaded_bytes = current.bytes;
        let rest = current.bytes - current.document_len;
        let lanes = BROWSER_CONNECTIONS.min(rest.div_ceil(1_024)).max(1);
        self.assets_left = lanes as usize;
        for lane in 0..lanes {
            let bytes = rest * (lane + 1) / lanes - rest * lane / lanes;
            self.ask(context, Request::Assets { bytes });
        }
    }

    pub(super) fn handle_assets(&mut self, context: &mut Context<'_>) {
        self.assets_left = self.assets_left.saturating_sub(1);
        if self.assets_left > 0 || self.done_at.is_some() {
            return;
        }
        self.handle_done(context);
        if self.answered == Some(Answered::Full) {
            context.timeline.push(context.now + JOIN_WAIT, Event::Join(self.index));
        }
    }

    /// The page of a browser that loaded everything from the origin registers with all of it.
    pub fn handle_join(&mut self, context: &mut Context<'_>) {
        let plan = context.plan.visitors[self.index];
        let Some(version) = self.document.take().and_then(|version| context.versions.get(version)).filter(|_| !self.has_failed) else {
            return;
        };
        self.held = version.pieces.iter().map(Piece::id).collect();
        let config = SessionConfig {
            seed: context.random.next_u64(),
            page: PAGE.to_owned(),
            manifest: Some(version.digest),
            takes_page: true,
            meets: true,
            slots: if plan.leeches { 0 } else { BROWSER_SLOTS },
            ..SessionConfig::default()
        };
        self.begin(context, config, Vec::new());
    }

    /// The app is here.
    pub(super) fn handle_done(&mut self, context: &mut Context<'_>) {
        self.done_at = Some(context.now);
        self.reason = None;
        if let Some(stays) = context.plan.visitors[self.index].stays {
            context.timeline.push(context.now + stays, Event::Leave(self.index));
        }
    }
}
