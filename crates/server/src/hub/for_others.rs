//! What other servers of the site are told of this one.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::limits::CLUSTER_NEWS_MAX;

/// What a server did since its start, for the statistics of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// Sessions now.
    pub(crate) sessions: u64,
    /// Answers to visits: full, thin, plain.
    pub(crate) full: u64,
    pub(crate) thin: u64,
    pub(crate) plain: u64,
    /// Bytes that it sent, and that its visitors say they took from others.
    pub(crate) sent_bytes: u64,
    pub(crate) from_peers_bytes: u64,
}

/// What happened that other servers are to be told.
#[derive(Debug, Default)]
pub(crate) struct ForOthers {
    /// Addresses from which forgers came.
    pub(crate) flagged: Vec<IpAddr>,
    /// Paths of pages of which visits taught something.
    pub(crate) pages: Vec<String>,
}

impl ForOthers {
    /// Remembers an address, while somebody may come for it.
    pub(super) fn flag(&mut self, address: IpAddr) {
        if self.flagged.len() < CLUSTER_NEWS_MAX {
            self.flagged.push(address);
        }
    }

    /// The same of a page.
    pub(super) fn learn(&mut self, page: &str) {
        if self.pages.len() < CLUSTER_NEWS_MAX && !self.pages.iter().any(|known| known == page) {
            self.pages.push(page.to_owned());
        }
    }
}
