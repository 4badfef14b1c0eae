//! The engine in virtual time: no sleeps, no network.

mod crowd;
mod demand;
mod help;
mod line;
mod properties;
mod scenarios;
mod trace;
mod world;
