//! What stands for the way between servers in a program that was built without it.

use std::sync::Arc;

use super::others::Cluster;
use super::rolling::RollingSite;
use crate::config::Config;
use crate::error::OpenError;
use crate::hub::Hub;
use crate::joins::Joins;
use crate::shutdown::Shutdown;
use crate::stats::Stats;

/// Refuses to begin where there is a cluster.
///
/// # Errors
/// In that case.
pub(crate) async fn join(
    config: &Config,
    _: (&Arc<Hub>, Option<Arc<RollingSite>>),
    _: (&Arc<Stats>, &Arc<Joins>),
    _: &Shutdown,
) -> Result<Option<(Arc<Cluster>, std::future::Ready<()>)>, OpenError> {
    match &config.cluster {
        Some(url) => {
            Err(OpenError::Cluster { url: url.to_string(), reason: "this program was built without the feature `cluster`".to_owned() })
        }
        None => Ok(None),
    }
}
