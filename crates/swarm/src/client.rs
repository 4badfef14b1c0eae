//! What one visitor of a swarm does: what it asks of the tracker, of its peers and of the origin, and when, and what it gives.
//!
//! The contract of each part: call one `handle_*` or verb, drain `poll` until `None` and do what it says, sleep until `poll_timeout`, then call `handle_timeout`.
//! Time is in milliseconds from the visit's beginning and never decreases. A part knows nothing of the others: what it needs of them are arguments.

pub mod announce;
pub mod config;
pub mod counts;
pub mod held;
pub mod leases;
pub mod manifests;
pub mod parts;
pub mod peers;
pub mod report;
pub mod search;
pub mod serving;
