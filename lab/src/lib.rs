//! The lab: real processes in network namespaces on a shaped network, measured against the fluid bound and against nginx.

pub use viral_netsim::{self as network, fluid_bound};

pub mod client;
pub mod forward;
pub mod home;
pub mod matrix;
pub mod measures;
pub mod namespace;
pub mod nat;
pub mod outcome;
pub mod packet_loop;
pub mod preflight;
pub mod prepared_visitor;
pub mod process;
pub mod processor;
pub mod report;
pub mod run;
pub mod scenario;
pub mod server;
pub mod site;
pub mod topology;
pub mod visit;
