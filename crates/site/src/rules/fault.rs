//! Why a line of a file of rules cannot be followed.

use std::fmt;

/// Why a file of rules cannot be followed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// `_headers` or `_redirects`.
    pub file: &'static str,
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: RuleFaultKind,
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: {}", self.file, self.line, self.kind)
    }
}

impl std::error::Error for RuleFault {}

/// What is wrong with a line of a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFaultKind {
    /// More bytes than a line may have.
    #[error("it has {len} bytes, at most {max} are read; make it shorter")]
    LineTooLong {
        /// Its bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More bytes than the file may have.
    #[error("the file has more than {max} bytes; make it shorter")]
    FileTooLong {
        /// The limit.
        max: u64,
    },
    /// The file cannot be read.
    #[error("the file cannot be read ({0}); allow this user to read it")]
    Unreadable(String),
    /// Bytes that are no text.
    #[error("it is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// More rules than are followed.
    #[error("at most {max} {what} are followed; remove some")]
    TooManyRules {
        /// Which.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// No path of the site.
    #[error("`{0}` is no path of this site; write it from its first slash, as /blog/*")]
    Path(String),
    /// A path in which something stands that is not understood there.
    #[error("`{path}` cannot be matched: {why}")]
    Pattern {
        /// The path.
        path: String,
        /// The reason.
        why: &'static str,
    },
    /// A header before any path.
    #[error("a header stands before the first path; write the path that it is for above it")]
    NoPath,
    /// Neither a path nor a header.
    #[error("it is neither a path, which begins with /, nor a header, which is indented")]
    Neither,
    /// Not `Name: value`.
    #[error("`{0}` is not a header; write it as `Name: value`, or `! Name` to take one away")]
    Header(String),
    /// A header that cannot be set.
    #[error("{0}")]
    RefusedHeader(String),
    /// `Basic-Auth`, which no answer may carry.
    #[error("Basic-Auth is not supported, and its password would be sent to everybody; let a proxy in front ask for it")]
    BasicAuth,
    /// A value that takes something of the path.
    #[error("`:{0}` in the value of a header is not supported; write the value without it")]
    ValuePlaceholder(String),
    /// More headers at a path than a record holds.
    #[error("{path} has more than {max} headers with it; remove some")]
    TooManyHeaders {
        /// The path.
        path: String,
        /// The limit.
        max: usize,
    },
    /// No destination.
    #[error("it has no destination; write it as `/from /to 301`")]
    NoDestination,
    /// A destination that leads nowhere.
    #[error("`{0}` is no destination; write a path from its first slash, or a whole https:// address")]
    Destination(String),
    /// A destination whose host comes of the path.
    #[error("the host of `{0}` must not come of the path; write it out")]
    DestinationHost(String),
    /// A rewrite that leaves the site.
    #[error(
        "status {status} leads to a file of this site, and `{to}` is none; use a redirect, or let `viral proxy` be in front of that server"
    )]
    Elsewhere {
        /// 200 or 404.
        status: u16,
        /// The destination.
        to: String,
    },
    /// A status that is none of a redirect.
    #[error("status `{0}` is not supported; use 301, 302, 303, 307, 308, 200 or 404, with `!` if it holds where there is a file")]
    Status(String),
    /// A condition on the query.
    #[error("a condition on the query (`{0}`) is not supported; remove the rule, or let the app decide")]
    QueryCondition(String),
    /// A condition on who asks.
    #[error("a condition on the visitor (`{0}`) is not supported; remove it")]
    VisitorCondition(String),
    /// More than a rule has.
    #[error("`{0}` follows where the rule has ended; remove it")]
    TooMuch(String),
}
