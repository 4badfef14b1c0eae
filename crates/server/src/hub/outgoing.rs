//! What is sent to sessions.

use viral_swarm::tracker::CloseReason;
use viral_wire::signal::TrackerToPeer;

/// What a session's task must send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message.
    Signal(Box<TrackerToPeer>),
    /// A close frame, then nothing.
    Close(CloseReason),
}
