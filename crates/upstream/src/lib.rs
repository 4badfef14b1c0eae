//! Another server as a site: whatever it answers is passed on, and what may be given to anybody travels between visitors.
//!
//! [`Upstream`] is that server. [`Upstream::service`] passes requests on to it. [`Upstream::source`] is the site of what was learned of it: what a visitor was
//! answered is fetched twice more without cookies, and what [`judge`](viral_swarm::admission::judge) allows becomes an asset of the next version.

mod address;
mod age;
pub mod audit;
mod entry;
mod facts;
mod fetch;
mod forward;
mod fresh;
mod headers;
mod learn;
mod limits;
mod memory;
mod rules;
mod site;
mod stream;
mod upstream;

pub use address::{AddressError, UpstreamAddr};
pub use forward::ProxyService;
pub use rules::Rules;
pub use site::{UpstreamSite, UpstreamSource};
pub use upstream::{Settings, Upstream, UpstreamError};
