//! Where a visitor is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::locality::{Place, Region, SharePolicy};

/// Where a visitor is, as the server sees it, and what the operator lets it do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAddr {
    /// The address it comes from.
    pub public: IpAddr,
    /// What to put in place of `<uuid>.local` in its descriptions, if the operator's rule allows that for this visitor.
    pub rewrite_to: Option<IpAddr>,
    /// The browser, as far as its cookie tells: two visits of one are never introduced to each other.
    pub browser: Option<u64>,
    /// What the operator's files say of the address.
    pub region: Region,
    /// Whether it gives and takes: what the policy of its site, and that for visitors who ask for privacy, leave.
    pub share: SharePolicy,
    /// It says that it is a native peer, which gives also where browsers only take.
    pub is_native: bool,
}

impl ClientAddr {
    /// A browser at an address of which nothing else is known.
    #[must_use]
    pub fn at(public: IpAddr) -> Self {
        Self { public, rewrite_to: None, browser: None, region: Region::default(), share: SharePolicy::On, is_native: false }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { address: self.public, region: self.region }
    }

    /// Whether both are known to be one browser.
    pub(crate) fn is_same_browser(&self, other: &Self) -> bool {
        self.browser.is_some() && self.browser == other.browser
    }

    /// Whether both are known to be at one site of the operator's.
    pub(crate) fn is_same_site(&self, other: &Self) -> bool {
        self.region.site.is_some() && self.region.site == other.region.site
    }
}
