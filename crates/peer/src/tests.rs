//! Peers among their like: real connections over loopback, the real server in this process.

mod clusters;
mod faults;
mod rogues;
mod seeding;
mod visits;
mod world;
