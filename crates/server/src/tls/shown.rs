//! What visitors are shown and asked for.

use std::sync::Arc;

use super::clients::Clients;
use super::pair::Certificate;
use super::sites::SiteCertificate;

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// Of each pair of files, in their order; none of one that was never usable.
    pub(super) certificates: Vec<Option<Certificate>>,
    /// Of several sites each, in their order.
    pub(super) sites: Vec<SiteCertificate>,
    pub(super) clients: Option<Arc<Clients>>,
}
