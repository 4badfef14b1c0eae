//! A swarm in virtual time: the shipped tracker, admission and sessions on a simulated network.
//!
//! Nothing of the product is written again here. [`server`] drives `viral_swarm::tracker::Tracker` and `viral_swarm::admission::admit` as `crates/server` does,
//! [`visitor`] drives `viral_swarm::client::Session` as `crates/peer` does. Around them is a network of messages ([`packets`] or [`flows`]), and [`invariants`]
//! looks at every step. The same scenario and seed give the same run.

pub mod app;
pub mod builtin;
pub mod carrier;
pub mod clock;
pub mod context;
pub mod description;
pub mod flows;
pub mod http;
pub mod invariants;
pub mod islands;
pub mod line;
pub mod message;
pub mod net;
pub mod packets;
pub mod plan;
pub mod population;
pub mod random;
pub mod report;
pub mod rogue;
pub mod scenario;
pub mod server;
pub mod shrink;
mod slots;
pub mod socket;
pub mod summary;
pub mod timeline;
pub mod transport;
pub mod visitor;
pub mod world;

#[cfg(test)]
mod tests;
