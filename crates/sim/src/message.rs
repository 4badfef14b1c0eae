//! What travels, and how many bytes it has on its way.

use viral_swarm::admission::CrowdRole;
use viral_wire::frame::ByeReason;
use viral_wire::signal::{AnswerPost, Offer, PeerToTracker, TrackerToPeer, encode};
use viral_wire::{Channel, Digest, Frame, PieceId, Ticket};

/// The head of a request as browsers and the native peer send it, in bytes (`curl -v` of a visit: 300 to 500).
pub const REQUEST_LEN: u32 = 350;

/// The head of an answer of viral, in bytes: eleven headers.
pub const ANSWER_LEN: u32 = 320;

/// A WebSocket frame around a signal, in bytes: two, or four over 125, and the mask of a client.
const SOCKET_FRAME_LEN: u32 = 6;

/// An id in a frame, in bytes.
const ID_LEN: usize = 16;

/// Type, id and encoding before a piece's bytes.
const PIECE_HEAD_LEN: u32 = 18;

/// What a visitor asks of the origin.
#[derive(Debug)]
pub enum Request {
    /// The page, as this visit.
    Visit,
    /// So many bytes of assets.
    Assets {
        /// Bytes.
        bytes: u64,
    },
    /// A manifest.
    Manifest(Digest),
    /// Pieces.
    Pieces(Vec<PieceId>),
    /// The answers of a thin visit.
    Answers(Box<AnswerPost>),
    /// A session with the tracker.
    Upgrade,
}

/// How a visit was answered.
#[derive(Debug)]
pub enum VisitAnswer {
    /// The page, and nothing of ours.
    Plain,
    /// The page with the addition.
    Full {
        /// The manifest, if the answer names it.
        manifest: Option<Digest>,
        /// Which version the document is of.
        version: usize,
    },
    /// The loader.
    Thin {
        /// Stands for the visit.
        ticket: Ticket,
        /// The page's manifest.
        manifest: Digest,
        /// With whom to begin.
        offers: Vec<Offer>,
        /// Others fetch it by leases.
        crowd: CrowdRole,
    },
}

/// What the origin answers.
#[derive(Debug)]
pub enum Answer {
    /// To a visit.
    Visit(Box<VisitAnswer>),
    /// Assets are here.
    Assets,
    /// A manifest, or that there is none.
    Manifest(Digest, bool),
    /// A piece of an answer that goes on.
    Piece(PieceId),
    /// The answer for these pieces is over.
    Served(Vec<PieceId>),
    /// Whether answers of a thin visit were taken.
    Answered(bool),
    /// There is a session with the tracker.
    Upgraded,
}

impl Answer {
    /// Whether the connection is free for the next request.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Piece(_) | Self::Upgraded)
    }
}

/// One message on a connection.
#[derive(Debug)]
pub enum Payload {
    /// Between peers.
    Frame(Frame),
    /// To the tracker.
    Signal(Box<PeerToTracker>),
    /// From the tracker.
    Told(Box<TrackerToPeer>),
    /// The tracker ended the session.
    SocketClosed,
    /// To the origin.
    Request(Request),
    /// From the origin.
    Answer(Answer),
}

impl Payload {
    /// Which of a connection's two streams it takes: short ones never stand behind pieces. TCP has one stream, which the caller heeds.
    #[must_use]
    pub fn channel(&self) -> Channel {
        match self {
            Self::Frame(frame) => frame.channel(),
            Self::Signal(_) | Self::Told(_) | Self::SocketClosed | Self::Request(_) | Self::Answer(_) => Channel::Control,
        }
    }
}

/// Bytes of a frame as a message. A piece's bytes are not there, so its length is given.
#[must_use]
pub fn frame_len(frame: &Frame, piece_len: u32) -> u32 {
    let len = match frame {
        Frame::Hello { manifests } => 3 + 32 * manifests.len(),
        Frame::Want { ids } | Frame::Cancel { ids } | Frame::Query { ids } | Frame::Have { ids } => 3 + ID_LEN * ids.len(),
        Frame::Refuse { reason: _, ids } => 4 + ID_LEN * ids.len(),
        Frame::WantManifest { manifest: _ } => 33,
        Frame::Bye { reason: ByeReason::Leaving | ByeReason::Fault | ByeReason::Idle | ByeReason::OptedOut } => 2,
        Frame::Piece { .. } => return PIECE_HEAD_LEN + piece_len,
        Frame::ManifestPart { body, .. } => 41 + body.len(),
    };
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Bytes of a signal to the tracker on its WebSocket.
#[must_use]
pub fn signal_len(signal: &PeerToTracker) -> u32 {
    framed(encode(signal).len())
}

/// Bytes of a signal from the tracker on a WebSocket.
#[must_use]
pub fn told_len(signal: &TrackerToPeer) -> u32 {
    framed(encode(signal).len())
}

fn framed(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX).saturating_add(SOCKET_FRAME_LEN)
}

/// Bytes of a request, head and body.
#[must_use]
pub fn request_len(request: &Request) -> u32 {
    REQUEST_LEN
        + match request {
            Request::Visit | Request::Assets { .. } | Request::Upgrade => 0,
            Request::Manifest(_) => 64,
            Request::Pieces(ids) => u32::try_from(ids.len() * 33).unwrap_or(u32::MAX / 2),
            Request::Answers(post) => u32::try_from(encode(&**post).len()).unwrap_or(u32::MAX / 2),
        }
}

#[cfg(test)]
mod tests {
    use viral_wire::frame::{Encoding, RefuseReason};

    use super::*;

    #[test]
    fn frames_are_as_long_as_the_wire_makes_them() {
        let id = Digest([7; 32]).piece_id();
        let frames = [
            Frame::Hello { manifests: vec![Digest([1; 32]); 2] },
            Frame::Want { ids: vec![id; 3] },
            Frame::Have { ids: vec![id] },
            Frame::Refuse { reason: RefuseReason::Busy, ids: vec![id; 2] },
            Frame::WantManifest { manifest: Digest([1; 32]) },
            Frame::Bye { reason: ByeReason::Idle },
            Frame::ManifestPart { manifest: Digest([1; 32]), offset: 0, total: 9, body: vec![0; 9] },
            Frame::Piece { id, encoding: Encoding::Raw, body: vec![0; 500] },
        ];
        for frame in frames {
            assert_eq!(frame_len(&frame, 500) as usize, frame.encode().unwrap().len(), "{frame:?}");
        }
    }
}
