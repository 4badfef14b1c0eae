//! Why a server cannot begin.

use std::{io, path::PathBuf};

use viral_site::SiteError;

/// Why a server cannot begin. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The site cannot be opened.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// What is learned of pages cannot be kept.
    #[error("state directory {path} cannot be written ({error}); give one that this user may write with --state-dir")]
    State {
        /// The directory as it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// What is learned of pages would be served to everybody.
    #[error("state directory {path} lies in the site and would be served; give one outside of it with --state-dir")]
    StateServed {
        /// The directory as it was given.
        path: PathBuf,
    },
    /// What the operator says of addresses cannot be used.
    #[error("{path}: {reason}")]
    Locality {
        /// The file as it was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The other servers of the site cannot be met.
    #[error("cluster {url}: {reason}")]
    Cluster {
        /// Where they are to be met, without the password.
        url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The tracker for WebTorrent clients was not told which torrents it serves.
    #[error(
        "--webtorrent does not say which torrents it serves; name them with --webtorrent-info-hash or in a file with --webtorrent-info-hashes, or serve all with --webtorrent-open"
    )]
    WebTorrentServesNothing,
    /// It was told so in two ways.
    #[error("--webtorrent-open serves every torrent; leave it out, or --webtorrent-info-hash and --webtorrent-info-hashes")]
    WebTorrentServesAll,
    /// Its list of torrents cannot be used.
    #[error("{path}: {reason} (file of --webtorrent-info-hashes)")]
    WebTorrentFile {
        /// The file as it was given.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The access log cannot be written.
    #[error(
        "access log {path} cannot be written ({error}); give a file in a folder that there is and that this user may write with --access-log-file, or leave it out for stdout"
    )]
    AccessLog {
        /// The file as it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Nothing is logged, or somewhere else.
    #[error("--access-log-file {path} needs --access-log json or --access-log combined, which say how its lines are written")]
    AccessLogUnused {
        /// The file as it was given.
        path: PathBuf,
    },
    /// The visits of all visitors would be served to everybody.
    #[error("access log {path} lies in the site and would be served; give one outside of it with --access-log-file")]
    AccessLogServed {
        /// The file as it was given.
        path: PathBuf,
    },
}
