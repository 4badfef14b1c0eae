//! The lab: real processes in network namespaces on a shaped network, measured against the fluid bound and against nginx.

pub mod bound;
pub mod client;
pub mod cloud;
pub mod forward;
pub mod guest;
pub mod measures;
pub mod namespace;
pub mod needs;
pub mod network;
pub mod outcome;
pub mod process;
pub mod processor;
pub mod report;
pub mod run;
pub mod scenario;
pub mod server;
pub mod site;
pub mod visit;
pub mod world;
