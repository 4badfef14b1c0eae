//! Every decision of a swarm, without clock, I/O or tasks: whom to answer how, who meets whom, what a page uses, what a visitor asks of
//! whom.
//!
//! Time is an argument in milliseconds and never decreases; randomness comes from a seed; hosts drive the machines with `handle_*` and `poll*`.

mod address;
pub mod admission;
pub mod alerts;
pub mod allowance;
pub mod client;
pub mod cluster;
pub mod coverage;
pub mod crowd;
pub mod doctor;
#[cfg(test)]
mod exported_policy;
pub mod fetch;
pub mod history;
pub mod ice_candidates;
pub mod join;
pub mod limits;
pub mod lineage;
pub mod locality;
pub mod nat;
pub mod page_costs;
pub mod pageset;
pub mod personal;
pub mod places;
pub mod platform;
pub mod quiet;
mod random;
pub mod reached;
#[cfg(test)]
mod replay;
pub mod request;
pub mod rollout;
pub mod shadow;
pub mod stun;
pub mod tracker;
pub mod upload;
pub mod visits;
pub mod webtorrent;
pub mod worth;
