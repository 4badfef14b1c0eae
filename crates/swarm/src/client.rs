//! What one visitor of a swarm does: what it asks of the tracker, of its peers and of the origin, and when, what it gives, and whom it dials.
//!
//! [`Session`] is the whole of it, without clock or I/O. Its host keeps sockets, connections, a store and the talk with the server. The contract, of the session as
//! of each of its parts: call one `handle_*` or verb, drain `poll` until `None` and do what it says, sleep until `poll_timeout`, then call `handle_timeout`. Time is
//! in milliseconds from the session's beginning and never decreases; randomness comes from a seed. Some outputs have an answer, a call that the host makes
//! before it polls again: their documentation names it. Pieces that came are apart ([`Session::poll_piece`]): they are verified at once, while the rest may wait until all that
//! was heard together is handled.
//!
//! | part | decides |
//! |---|---|
//! | [`manifests`] | which manifest is taken, and when the origin is asked for it |
//! | [`leases`] | when one of a crowd asks for its first lease |
//! | [`search`] | when the tracker is asked for more peers |
//! | [`report`] | when the tracker is told what is held and what grew |
//! | [`withheld`] | which addresses of an offer are dialled only once its maker has the answer |
//! | [`peers`] | which connections there are, and which are over |
//! | [`reflexive`] | when the server is asked how the world sees the visitor; its host drives it beside the session |
//! | [`serving`] | what peers are given, with [`announce`]: what they are told of |
//! | [`fetch`](crate::fetch), [`upload`](crate::upload) | who is asked for which piece, and who is given one next |

pub mod announce;
pub mod asset_file;
mod backoff;
pub mod config;
pub mod counts;
mod exchange;
pub mod held;
pub mod leases;
pub mod manifests;
pub mod parts;
pub mod peers;
pub mod reflexive;
pub mod report;
pub mod search;
pub mod serving;
mod session;
mod talk;
mod types;
pub mod withheld;

pub use backoff::backoff_ms;
pub use session::Session;
pub use types::{Output, Refusal, SessionConfig};
