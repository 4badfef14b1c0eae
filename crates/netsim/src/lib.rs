//! The network between all endpoints as a machine without I/O: packets go in with a time, and come out when they would arrive.
//!
//! The lab puts real packets through it, the simulator such as stand for packets.

pub mod fabric;
pub mod fluid_bound;
pub mod link;
pub mod packet;
pub mod plan;
pub mod plot;
