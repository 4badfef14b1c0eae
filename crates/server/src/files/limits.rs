//! Every maximum of serving a site, with its unit and where the number comes from.

use std::time::Duration;

/// Versions of a site that stay readable, the current one included.
///
/// A visitor whose page came from an older version still gets its assets; three deploys within one visit are rare.
pub const VERSIONS_KEPT: usize = 3;
