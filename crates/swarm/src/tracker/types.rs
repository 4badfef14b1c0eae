//! Who asks the tracker for something, and why it is refused.

use serde::{Deserialize, Serialize};
use viral_wire::{Digest, Ticket, signal::PeerNumber};

use crate::address::ClientAddr;

/// A visitor about to be given peers in its thin answer.
#[derive(Debug, Clone)]
pub struct Seeking<'a> {
    /// Where it is.
    pub addr: ClientAddr,
    /// Path of the page.
    pub page: &'a str,
    /// The page's manifest.
    pub manifest: Digest,
    /// How many peers it should get; at most [`OFFERS_PER_LEECHER_MAX`](viral_wire::limits::OFFERS_PER_LEECHER_MAX) are given.
    pub wanted: usize,
    /// Stands for this visit; drawn by the host from a source of secrets.
    pub ticket: Ticket,
}

/// What another server asks for on behalf of its visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestWish {
    /// Only those of its address, site and prefix: others it has.
    pub near_only: bool,
    /// They are to send it something unasked, at once.
    pub push: bool,
    /// It fetches the manifest together with others, or asks again later: whoever holds anything of it is welcome.
    pub takes_parts: bool,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The holder of a ticket, by `POST /.viral/answer`.
    Ticket(Ticket),
    /// A session.
    Peer(PeerNumber),
}

/// Why no answer of a batch was relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AnswerError {
    /// None, too many, one offer twice, or an answer that offers.
    #[error("malformed answers")]
    Malformed,
    /// One of the offers was never given to this visitor.
    #[error("an offer was never given to you")]
    NeverMatched,
    /// Every one of the offers was answered, renewed or withdrawn meanwhile.
    #[error("every offer is gone")]
    Gone,
}

impl AnswerError {
    /// The HTTP status that tells it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NeverMatched => 403,
            Self::Gone => 410,
        }
    }
}

/// Why a beacon is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// There is no such visit, or no longer.
    #[error("no such visit")]
    Unknown,
    /// It reports more than allowed.
    #[error("too many reports for one visit")]
    TooMany,
}
