//! The native peer: takes an app from a swarm, or mirrors it, as a visitor's browser would, on str0m instead of a browser's WebRTC.
//!
//! All decisions are `viral-swarm`'s (`client::Session`) and all bytes `viral-wire`'s; this crate does the I/O: HTTP and the tracker's WebSocket, UDP sockets, files. One
//! peer is one task that drives all its connections over one socket per local address.
//!
//! Not here: a command line, a progress bar, mDNS, STUN, relays.

mod doctor;
mod encoded_cache;
mod get;
mod limits;
mod link;
mod links;
mod origin;
mod peer;
mod private;
mod rate;
#[cfg(any(test, feature = "rogue"))]
mod rogue;
mod seed;
mod sockets;
mod store;
mod throttle;
mod tracker_client;
mod verdict;

#[cfg(test)]
mod tests;

pub use doctor::{DoctorOptions, doctor};
pub use get::{Answer, GetError, GetEvent, GetOptions, GetProgress, OutputError, Report, get};
pub use limits::STALL;
pub use origin::OriginError;
pub use peer::PeerError;
pub use private::PrivateDirError;
pub use rate::{ParseError, Rate, Size};
#[cfg(any(test, feature = "rogue"))]
pub use rogue::{Crime, Rogue};
pub use seed::{SeedError, SeedOptions, seed};
pub use verdict::{Side, Verdict};
pub use viral_swarm::doctor::{Diagnosis, Finding, Health};
pub use viral_wire::printable::printable;
