//! Several servers of one site that know of each other through Redis: a visitor of one is given peers whose sockets hang on another, and whatever is said of them finds its way.
//!
//! Decisions are made by [`viral_swarm::cluster`] and by the tracker of the server that is asked; here messages are sent, waited for and handed on. Nothing waits for Redis longer than a
//! moment, and without it each server is alone.

#[cfg(feature = "cluster")]
mod bus;
#[cfg(not(feature = "cluster"))]
mod no_bus;
mod others;
mod pages;
mod rolling;
mod session;

#[cfg(feature = "cluster")]
pub(crate) use bus::join;
#[cfg(not(feature = "cluster"))]
pub(crate) use no_bus::join;
pub(crate) use others::{Cluster, Sought};
pub(crate) use rolling::RollingSite;
pub(crate) use session::Guest;
