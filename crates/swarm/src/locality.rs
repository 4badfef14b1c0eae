//! How near two visitors are, from what is known of where they are: the ladder of tiers.

mod keys;
mod ladder;
mod place;
pub mod sites;

pub(crate) use keys::masked;
pub use keys::{address_key, are_neighbours, network_key};
pub use ladder::{Ladder, NameError, PeerScope, SharePolicy, Tier};
pub use place::{Code, Key, Place, Region, SiteId};
