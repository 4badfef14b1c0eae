//! What servers of one cluster say to each other, as JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use viral_swarm::cluster::ServerNumber;
use viral_swarm::pageset::PageState;
use viral_swarm::tracker::{AnswerError, ClientAddr, GuestWish};
use viral_wire::signal::{Answer, Offer, VisitPost};
use viral_wire::{Digest, Ticket};

use crate::hub::Numbers;
use crate::visits::Seen;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Message {
    /// To all, twice a second.
    Hello(Box<Hello>),
    /// To all, at the end.
    Bye {
        from: ServerNumber,
    },
    /// Whom do you have for this visitor? Answered with `given`.
    Seek(Box<Seek>),
    Given {
        id: u64,
        offers: Vec<Offer>,
    },
    /// A visitor's answers to offers that you gave. Answered with `relayed`.
    Answers {
        from: ServerNumber,
        id: u64,
        ticket: Ticket,
        answers: Vec<Answer>,
    },
    /// `refused`: why not one answer was relayed.
    Relayed {
        id: u64,
        refused: Option<AnswerError>,
    },
    /// What a visit of yours, or one that you gave peers to, reports.
    Visit {
        post: VisitPost,
    },
    /// To all: what was sent to visits.
    Seen {
        from: ServerNumber,
        seen: Vec<Seen>,
    },
    /// To all: a forger came from this address.
    Flagged {
        from: ServerNumber,
        address: IpAddr,
    },
    /// To all: what visits to a page use.
    Page {
        from: ServerNumber,
        page: String,
        generation: u64,
        state: Box<PageState>,
    },
}

/// How a server is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) from: ServerNumber,
    /// The version of the site that it answers with, and all that it could answer with, newest first, by their tags.
    pub(super) version: String,
    pub(super) versions: Vec<String>,
    /// Manifests that its ready peers hold, with how many.
    pub(super) holds: Vec<(Digest, u32)>,
    pub(super) numbers: Numbers,
}

/// A visitor who is to be given peers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seek {
    pub(super) from: ServerNumber,
    pub(super) id: u64,
    pub(super) addr: ClientAddr,
    pub(super) page: String,
    pub(super) manifest: Digest,
    pub(super) wanted: usize,
    pub(super) ticket: Ticket,
    pub(super) wish: GuestWish,
}
