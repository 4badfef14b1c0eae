//! Scripts that make a real seeder's page misbehave, from outside the product: they wrap what the page sends.

/// Flips one bit of the body of the first piece the page sends.
pub const FORGES_ONE_BYTE: &str = concat!(include_str!("hostile/send.js"), include_str!("hostile/forge.js"));

/// Changes a byte of every manifest part the page sends.
pub const LIES_IN_MANIFEST: &str = concat!(include_str!("hostile/send.js"), include_str!("hostile/lie.js"));

/// Opens its channels, then sends nothing on them.
pub const STAYS_SILENT: &str = concat!(include_str!("hostile/send.js"), include_str!("hostile/silent.js"));

/// Sends what no protocol knows: unknown frames, frames too long, pieces nobody asked for, broken manifests, inflate bombs.
pub const SENDS_GARBAGE: &str = concat!(include_str!("hostile/send.js"), include_str!("hostile/garbage.js"));

/// Sends pieces as `window.journeyPieces` says, `reverse`, `twice` or `never`, once it has sent `window.journeyAfter` bytes as it should.
pub const SPOILS_PIECES: &str = concat!(include_str!("hostile/send.js"), include_str!("hostile/pieces.js"));

/// Not hostile: counts bytes sent in `window.journey.sent`, so that a journey can act in the middle of a transfer.
pub const COUNTS_SENT: &str = include_str!("hostile/send.js");

/// Not hostile: counts peer connections the page makes in `window.journey.connections`.
pub const COUNTS_CONNECTIONS: &str = include_str!("hostile/connections.js");

/// Not hostile: notes in `window.journeySaid` the kinds of messages the page sent to the tracker, in `window.journeyHeld` its last `held`.
pub const NOTES_SIGNALS: &str = include_str!("hostile/signals.js");
