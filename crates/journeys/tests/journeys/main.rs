//! Journeys of real browsers through a running server; `cargo xtask journeys` builds what they need and runs them.
#![expect(clippy::print_stdout, reason = "a test says what it had to do again")]

mod apps;
mod bad_input;
mod clusters;
mod common;
mod crowds;
mod dashboard;
mod deploys;
mod doctor;
mod examples;
mod harness;
mod headers;
mod hostile;
mod loading;
mod losses;
mod native;
mod networks;
mod own_workers;
mod pages;
mod pairs;
mod prompts;
mod proxies;
mod quirks;
mod respect;
mod restarts;
mod secure;
mod shapes;
mod torrents;
mod trials;
mod upstreams;
