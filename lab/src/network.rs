//! The network between all endpoints as a machine without I/O: packets go in with a time, and come out when they would arrive.

pub mod fabric;
pub mod link;
pub mod plan;
