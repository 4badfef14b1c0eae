//! The protocol of WebTorrent trackers over WebSocket, as `bittorrent-tracker` speaks it: JSON whose binary strings have one character for each byte.
//!
//! No document specifies it. What is here is what the clients in use say and understand: `bittorrent-tracker` 11.2.3, which `webtorrent` and `p2p-media-loader-core` are
//! built on, and what `aquatic_ws` 0.9.0 accepts. Offers and answers are carried as the text that came.

mod fault;
mod id;
mod reply;
mod request;
mod types;

pub use fault::{Fault, FaultReason};
pub use id::{Id, IdError};
pub use reply::{Counts, announced, answer, failed, offer, scraped};
pub use request::{Announce, AnswerIn, OfferIn, Request, parse};
pub use types::{Action, Event};

#[cfg(test)]
mod tests;
