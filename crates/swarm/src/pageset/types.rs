//! What goes into a page set, and how it is remembered.

use std::net::IpAddr;

use crate::limits::{PAGE_SET_ASSETS_MAX, PAGE_SET_BYTES_MAX, PAGE_SET_REPORTS_MAX};

/// Bounds of a page set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSetConfig {
    /// Assets besides the page's document.
    pub assets_max: usize,
    /// Their bytes together.
    pub bytes_max: u64,
    /// Reports remembered.
    pub reports_max: usize,
}

impl Default for PageSetConfig {
    fn default() -> Self {
        Self { assets_max: PAGE_SET_ASSETS_MAX, bytes_max: PAGE_SET_BYTES_MAX, reports_max: PAGE_SET_REPORTS_MAX }
    }
}

/// Tells the length of an asset that the server itself serves and that may travel; `None` for everything else.
pub type Served<'a> = &'a dyn Fn(&str) -> Option<u64>;

/// What a static parse of a page found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Path of the asset.
    pub path: String,
    /// Whether rendering or the first scripts need it.
    pub critical: bool,
}

/// From what kind of visit a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// A visitor with a full answer says so. Only what the server itself sent to that visit should be in it.
    Full,
    /// A visitor with a thin answer says so: peers sent most of it, so it proves nothing.
    Thin,
    /// The server saw the requests of a visitor who cannot report.
    Seen,
}

/// What one visit used so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Names the visit: a later report of the same visit replaces this one.
    pub voter: u64,
    /// From where.
    pub address: IpAddr,
    /// What kind of visit.
    pub kind: ReportKind,
    /// Paths in the order in which their requests began.
    pub paths: Vec<String>,
}

/// A [`Reference`] and since when the page has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StaticReference {
    pub(super) path: String,
    pub(super) critical: bool,
    /// Epoch in which the page began to refer to it.
    pub(super) since: u64,
    /// Whether a visit has told since then, so that it is judged by votes alone.
    pub(super) judged: bool,
}

/// A [`Report`] as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vote {
    /// `None` for one from before a restart.
    pub(super) voter: Option<u64>,
    pub(super) network: IpAddr,
    pub(super) kind: ReportKind,
    pub(super) epoch: u64,
    pub(super) paths: Vec<String>,
    /// Bytes of everything it named.
    pub(super) bytes: u64,
}
