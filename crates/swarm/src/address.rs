//! Where a visitor is.

use std::net::IpAddr;

/// Where a visitor is, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr {
    /// The address it comes from.
    pub public: IpAddr,
    /// What to put in place of `<uuid>.local` in its descriptions, if the operator's rule allows that for this visitor.
    pub rewrite_to: Option<IpAddr>,
    /// The browser, as far as its cookie tells: two visits of one are never introduced to each other.
    pub browser: Option<u64>,
}

impl ClientAddr {
    /// Whether both are known to be one browser.
    pub(crate) fn is_same_browser(&self, other: &Self) -> bool {
        self.browser.is_some() && self.browser == other.browser
    }
}
