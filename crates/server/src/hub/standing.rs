//! How visitors stand, as the dashboard is told.

use viral_swarm::reached::{Network, ReachCounts};

/// How visitors stand, for whoever watches.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Ready peers that hold pages as they are now, and as they were.
    pub(crate) ready_by_age: (u64, u64),
    /// Visitors of whose connections something is known.
    pub(crate) reached: ReachCounts,
    /// Networks of which most visitors reached nobody.
    pub(crate) unreached: Vec<(Network, ReachCounts)>,
}
