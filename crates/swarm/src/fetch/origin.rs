//! What the origin is asked for beside what no peer can give: help for slow peers, or in a crowd a lease. It looks at the piece table and calls nobody.

use super::config::ORIGIN_REQUESTS_MAX;
use super::help::Help;
use super::origin_lease::OriginLease;
use super::types::Source;

/// The policy of one engine.
#[derive(Debug)]
pub(super) struct OriginPolicy {
    /// What the origin is to give this one of a crowd; `None` = not in a crowd.
    pub(super) lease: Option<OriginLease>,
    /// What the origin does for slow peers, outside a crowd.
    pub(super) help: Help,
    /// Requests to the origin at the same time, where no tracker grants them.
    pub(super) requests_max: usize,
}

impl OriginPolicy {
    /// Of somebody alone.
    pub(super) fn new() -> Self {
        Self { lease: None, help: Help::new(), requests_max: ORIGIN_REQUESTS_MAX }
    }

    /// A piece is held from now on. `is_from_peer`: a peer that is still there gave it. `near_len`: bytes of it from one who is behind no other line.
    pub(super) fn settled(&mut self, now: u64, source: Option<Source>, len: u32, is_from_peer: bool, near_len: u32) {
        self.help.count(source, len);
        if let Some(lease) = &mut self.lease {
            lease.advance(now, is_from_peer, near_len);
        }
    }

    /// Everything that no peer gives may be asked of the origin now. Whoever was one of a crowd asks with one request at a time: the others need their leases.
    pub(super) fn leave_crowd(&mut self) {
        if self.lease.take().is_some() {
            self.requests_max = 1;
        }
    }
}
