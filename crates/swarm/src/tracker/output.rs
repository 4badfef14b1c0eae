//! What the tracker tells its host to do.

use std::net::IpAddr;

use viral_wire::signal::{DropReason, PeerNumber, TrackerToPeer};

use crate::pageset::Report;

/// What the host must do next; the tracker performs no I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackerOutput {
    /// Send this message to this session.
    Send(PeerNumber, TrackerToPeer),
    /// Close this session's socket. The tracker has forgotten it; a `handle_leave` afterwards does nothing.
    Close(PeerNumber, CloseReason),
    /// A peer says what its visit used so far: for the page's [`PageSet`](crate::pageset::PageSet).
    Loaded {
        /// Path of the page.
        page: String,
        /// Who says so.
        peer: PeerNumber,
        /// The browser it is in, if that is known.
        browser: Option<u64>,
        /// What it says; the voter is its number.
        report: Report,
    },
    /// A visitor of a page says what it took from peers since it last said so.
    Counted {
        /// Path of the page.
        page: String,
        /// Bytes.
        from_peers: u64,
        /// The same by ring, as far as it says: critical, expected, on demand.
        rings: [u64; 3],
    },
    /// A forger was dropped that came from this address: other servers of the site are told by [`Tracker::handle_flagged`](super::Tracker::handle_flagged).
    Flagged(IpAddr),
    /// Somebody registered for a page of which the tracker does not know the manifest: answer with
    /// [`Tracker::handle_manifest`](super::Tracker::handle_manifest), or with
    /// [`Tracker::handle_page_unknown`](super::Tracker::handle_page_unknown).
    PageWanted {
        /// Path of the page, as the peer gave it.
        page: String,
    },
}

/// Why a session's socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// It was dropped; a `dropped` message went before.
    Dropped(DropReason),
    /// It sent more messages than allowed.
    TooManyMessages,
    /// Too many of its messages were refused.
    TooManyMistakes,
    /// It sent no `register` in time.
    NeverRegistered,
}

impl CloseReason {
    /// The WebSocket close code: 1013 "try again later" for overload, else 1008 "policy violation" (RFC 6455 section 7.4 and its registry).
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Dropped(DropReason::Overload) => 1013,
            Self::Dropped(DropReason::Forged | DropReason::Version)
            | Self::TooManyMessages
            | Self::TooManyMistakes
            | Self::NeverRegistered => 1008,
        }
    }

    /// One word for the close frame and for logs.
    #[must_use]
    pub const fn as_token(self) -> &'static str {
        match self {
            Self::Dropped(DropReason::Forged) => "forged",
            Self::Dropped(DropReason::Version) => "version",
            Self::Dropped(DropReason::Overload) => "overload",
            Self::TooManyMessages => "too-many-messages",
            Self::TooManyMistakes => "too-many-mistakes",
            Self::NeverRegistered => "never-registered",
        }
    }
}
