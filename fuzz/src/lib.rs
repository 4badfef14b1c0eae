//! What must hold of every decoder and of every machine, whatever bytes come: one function for each target of `cargo xtask fuzz`.
//!
//! Each panics where it does not hold. `fuzz/README.md` says how they are driven.

mod bytes;
mod codecs;
mod download;
mod headers;
mod pieces;
pub mod seeds;
mod session;
mod tracker;

pub use codecs::{boot, description, frame, manifest, signal, stun, webtorrent};
pub use download::download_ops;
pub use headers::{accept_encoding, range_header};
pub use session::session_ops;
pub use tracker::tracker_ops;

/// Panics where something does not hold of these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 12] = [
    ("frame", frame),
    ("manifest", manifest),
    ("description", description),
    ("signal", signal),
    ("boot", boot),
    ("stun", stun),
    ("range_header", range_header),
    ("accept_encoding", accept_encoding),
    ("webtorrent", webtorrent),
    ("tracker_ops", tracker_ops),
    ("download_ops", download_ops),
    ("session_ops", session_ops),
];
