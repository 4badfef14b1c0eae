//! Harness of the journeys: a server under test, browsers of three engines, sites made for one test.
//!
//! A journey sees the product only from outside: the binary's command line, HTTP, `/stats`, and what a page can see.
//! Waiting is polling a condition up to a deadline; nothing sleeps for a fixed time.

pub mod apps;
pub mod browser;
pub mod certificate;
pub mod coturn;
pub mod deadlines;
pub mod driver;
pub mod figures;
mod firefox;
pub mod hostile;
pub mod http;
pub mod line;
pub mod native;
pub mod network;
pub mod nginx;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod server;
pub mod shop;
pub mod site;
pub mod stun;
pub mod torrents;
pub mod visitor;
pub mod wait;
