//! What goes in and out of a client session.

use viral_wire::description::Candidate;
use viral_wire::frame::ByeReason;
use viral_wire::signal::{Beyond, DropReason, Offer, PeerNumber, PeerToTracker, Push};
use viral_wire::{Description, Digest, Frame, ManifestError, PieceId, Ticket};

use crate::fetch::PeerKey;

/// How a session begins.
#[derive(Debug, Clone, Default)]
pub struct SessionConfig {
    /// Seed of all randomness.
    pub seed: u64,
    /// The page to register for.
    pub page: String,
    /// The thin visit this visitor came from.
    pub ticket: Option<Ticket>,
    /// The manifest to fetch; `None` = what the tracker names.
    pub manifest: Option<Digest>,
    /// Whether to fetch the page's app at all, or only what [`Session::add_pieces`](super::Session::add_pieces) names.
    pub takes_page: bool,
    /// Whether to go over to each new manifest that the tracker names.
    pub follows: bool,
    /// Whether to meet other peers at all.
    pub meets: bool,
    /// Whether nobody had the app when this visitor came, so that the tracker grants leases of it to all who come meanwhile.
    pub in_crowd: bool,
    /// Whether this visitor is the first of a crowd, who has the first [`LEASE_FIRST_PIECES`](viral_wire::limits::LEASE_FIRST_PIECES) pieces without asking.
    pub is_first: bool,
    /// Leechers to serve at once; 0 = nothing is uploaded.
    pub slots: u8,
    /// Upload limit in bytes per second; 0 = none.
    pub up_bytes_per_s: u64,
}

/// What the host must do next; the session itself performs no I/O.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a signal to the tracker; [`Session::handle_unsent`](super::Session::handle_unsent) if the socket does not take it.
    Signal(PeerToTracker),
    /// The next session with the tracker begins with these.
    Register(Vec<PeerToTracker>),
    /// Send a frame.
    Frame {
        /// To whom.
        peer: PeerKey,
        /// What.
        frame: Frame,
        /// Before less urgent ones of the same channel.
        urgency: u64,
    },
    /// Ask the origin for a manifest; then [`Session::handle_manifest`](super::Session::handle_manifest).
    AskManifest {
        /// Which.
        manifest: Digest,
    },
    /// Ask the origin for pieces in one request; [`Session::accept_from_origin`](super::Session::accept_from_origin) for each that comes, then
    /// [`Session::handle_origin_served`](super::Session::handle_origin_served).
    AskPieces {
        /// Which.
        ids: Vec<PieceId>,
    },
    /// Answer these offers, tell the tracker so in one message, and say which could be with [`Session::handle_dialled`](super::Session::handle_dialled).
    Dial {
        /// As many as there is room for.
        offers: Vec<Offer>,
        /// The answers leave by a post with the ticket: they came with the visit, before there was a session with the tracker.
        by_post: bool,
        /// The number with which the tracker is asked to tell when they left, since some addresses of the offers wait for that. A post that was taken tells it by itself, with [`Session::handle_posted`](super::Session::handle_posted).
        tell: Option<u32>,
    },
    /// The other end of a connection has the answer, or should have by now: dial it at these addresses, too.
    Reach {
        /// Which.
        peer: PeerKey,
        /// Where its other end is.
        candidates: Vec<Candidate>,
    },
    /// Make ready-made offers and leave them with the tracker.
    MakeOffers {
        /// How many.
        count: u8,
    },
    /// Somebody answered an offer of ours: [`Session::handle_accepted`](super::Session::handle_accepted) if that can be used.
    Accept {
        /// Which.
        offer: u32,
        /// By whom.
        number: PeerNumber,
        /// The answer.
        description: Description,
        /// What to send unasked.
        push: Option<Push>,
        /// The other end is behind another line: what of all that comes from there this one takes.
        beyond: Option<Beyond>,
    },
    /// Withdraw every offer that nobody answered: nobody can any more.
    WithdrawOffers,
    /// Close a connection, if it still is one; the session has forgotten it already.
    Close {
        /// Which.
        peer: PeerKey,
        /// What to say to the other end.
        reason: Option<ByeReason>,
    },
    /// Read a piece and send it; then [`Session::handle_sent`](super::Session::handle_sent) or
    /// [`Session::handle_piece_unsent`](super::Session::handle_piece_unsent).
    SendPiece {
        /// To whom.
        peer: PeerKey,
        /// Which.
        id: PieceId,
        /// Before less urgent ones.
        urgency: u64,
    },
    /// A manifest is here, and is the current one: name what is to be fetched by [`Session::add_pieces`](super::Session::add_pieces), then
    /// [`Session::handle_taken_up`](super::Session::handle_taken_up).
    TakeUp {
        /// Another version was served and fetched until now.
        replaced: bool,
    },
    /// What the origin named as the manifest is none.
    Failed(ManifestError),
    /// The tracker will have no more of this visitor, or does not know the page.
    Refused(Refusal),
}

/// Why the tracker wants nothing of a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It ends the session for good.
    Dropped(DropReason),
    /// It does not know the page: its words for a person.
    Unknown(String),
}
