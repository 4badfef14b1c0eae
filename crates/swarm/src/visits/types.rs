//! What goes into [`Visits`](super::Visits) and what comes out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::limits::{VISIT_BROWSERS_MAX, VISIT_BROWSERS_PER_NETWORK_MAX, VISIT_PATHS_ALL_MAX, VISIT_PATHS_MAX, VISITS_PER_BROWSER_MAX};

/// Which kind of answer a document request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// The whole document with the addition.
    Full,
    /// Loader and introductions.
    Thin,
    /// The document as it is.
    Plain,
}

impl AnswerKind {
    /// As in the `viral-answer` header.
    #[must_use]
    pub const fn as_token(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Thin => "thin",
            Self::Plain => "plain",
        }
    }
}

/// Bounds of [`Visits`](super::Visits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitsConfig {
    /// Browsers at once.
    pub browsers_max: usize,
    /// Browsers of one network at once.
    pub browsers_per_network_max: usize,
    /// Visits of one browser at once, each to a page of its own.
    pub visits_per_browser_max: usize,
    /// Paths that one visit was sent, and as many that it reports.
    pub paths_per_visit_max: usize,
    /// Paths of all visits together.
    pub paths_max: usize,
}

impl Default for VisitsConfig {
    fn default() -> Self {
        Self {
            browsers_max: VISIT_BROWSERS_MAX,
            browsers_per_network_max: VISIT_BROWSERS_PER_NETWORK_MAX,
            visits_per_browser_max: VISITS_PER_BROWSER_MAX,
            paths_per_visit_max: VISIT_PATHS_MAX,
            paths_max: VISIT_PATHS_ALL_MAX,
        }
    }
}

/// A document that is answered to a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The browser, by the number in its cookie.
    pub browser: u64,
    /// From where.
    pub address: IpAddr,
    /// Path of the page.
    pub page: &'a str,
    /// How it is answered.
    pub kind: AnswerKind,
    /// Nothing says that the browser was here before: what it asks for now is all that it uses, since its cache is cold.
    pub is_first: bool,
}

/// Which visit a request is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Path of its page.
    pub page: &'a str,
    /// How that was answered.
    pub kind: AnswerKind,
}

/// What is believed of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Names the visit.
    pub voter: u64,
    /// How its page was answered. Of a thin visit peers sent most, so that what follows is not all that it used.
    pub kind: AnswerKind,
    /// What the visit used, in order: the reported paths that the server sent to this browser, and [`others`](Self::others).
    pub accepted: Vec<String>,
    /// What the server sent to this very visit and the report does not name.
    pub others: Vec<String>,
}

/// What the host must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisitsOutput {
    /// A visit says, by what it asked for, what its page uses. A later vote of the same voter replaces this one.
    Vote {
        /// Path of the page.
        page: String,
        /// Names the visit.
        voter: u64,
        /// From where it came.
        address: IpAddr,
        /// How the page was answered; never [`AnswerKind::Thin`], for peers send most of such a visit.
        kind: AnswerKind,
        /// Paths in order of request.
        paths: Vec<String>,
    },
    /// A page that has reported what it used does not know of these.
    Used {
        /// The browser.
        browser: u64,
        /// Path of the page.
        page: String,
        /// Paths in order of request.
        paths: Vec<String>,
    },
}
