//! The cluster, as `/stats` shows it.

use serde::Serialize;

use viral_swarm::cluster::Numbers;

/// The cluster, as `/stats` shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClusterSnapshot {
    /// Number of this server.
    pub(crate) server: u16,
    /// Redis can be reached.
    pub(crate) connected: bool,
    /// Messages that were not sent or not answered in time.
    pub(crate) lost: u64,
    /// The newest version here, by its tag, while it waits for other servers to have it.
    pub(crate) waiting: Option<String>,
    /// All servers, this one first.
    pub(crate) servers: Vec<ServerSnapshot>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServerSnapshot {
    pub(crate) server: u16,
    pub(crate) own: bool,
    pub(crate) version: String,
    #[serde(flatten)]
    pub(crate) numbers: Numbers,
}
