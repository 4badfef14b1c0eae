//! Why a site cannot be opened or refreshed.

use std::{io, path::PathBuf};

use crate::RuleFault;

/// Why a site cannot be opened. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The directory does not exist.
    #[error("directory {path} does not exist; give the directory that holds index.html")]
    Missing {
        /// The directory as it was given.
        path: PathBuf,
    },
    /// The path names something else than a directory.
    #[error("{path} is not a directory; give the directory that holds it")]
    NotADirectory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The directory cannot be listed.
    #[error("directory {path} cannot be read ({error}); allow this user to read it or run as a user who may")]
    Unreadable {
        /// The directory as it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The system is out of descriptors or memory.
    #[error("{path} cannot be read at this moment ({error}); let this program open more files (`ulimit -n`, `LimitNOFILE=`)")]
    Exhausted {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The directory holds more entries than the site may have.
    #[error("{path} holds more than {max} files and directories; serve a smaller directory or raise the limit")]
    TooManyEntries {
        /// The directory as it was given.
        path: PathBuf,
        /// The limit that was passed.
        max: usize,
    },
    /// The object store cannot be made or written.
    #[error("object store in {path} cannot be written ({error}); give a cache directory with free space that this user may write")]
    Store {
        /// Where objects are kept.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// An embedded file has a name that no URL path reaches.
    #[error("embedded file {path:?} has no URL path; use a relative path without empty, hidden or `..` segments")]
    EmbeddedPath {
        /// The path as it was given.
        path: String,
    },
    /// A header the operator wants on every answer is decided by the server alone.
    #[error("header {name} is set by the server for each answer; remove it from the configured headers")]
    ReservedHeader {
        /// The name of the header.
        name: String,
    },
    /// A header value cannot travel in an asset record.
    #[error("the value of header {name} must be at most {max} bytes of printable ASCII; shorten it or write it in ASCII")]
    BadHeader {
        /// The name of the header.
        name: String,
        /// The longest value, in bytes.
        max: usize,
    },
    /// A file of rules in the directory cannot be followed.
    #[error("{0}")]
    Rules(RuleFault),
    /// More headers are wanted than an asset record can carry.
    #[error("at most {max} headers can be added to every answer; remove some")]
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// The work of reading the directory was cut off, as happens while the program ends.
    #[error("reading the directory was interrupted; start again")]
    Interrupted,
}

impl SiteError {
    /// Whether this is how the directory is, not what the program or the system lacks: there is nothing in it that may be served.
    pub(super) fn says_what_is_there(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::NotADirectory { .. } | Self::Unreadable { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn the_cause_is_said_once_however_the_chain_is_printed() {
        let error = SiteError::Unreadable { path: "dist".into(), error: io::Error::other("no way") };
        assert!(error.to_string().contains("(no way)") && error.source().is_none());
    }
}
