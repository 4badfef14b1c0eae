//! What servers of one cluster say to each other, as JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use viral_wire::signal::{Answer, Offer, VisitPost};
use viral_wire::{Digest, Ticket};

use super::ServerNumber;
use crate::{
    pageset::PageState,
    tracker::{AnswerError, ClientAddr, GuestWish},
    visits::AnswerKind,
};

/// One message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// To all, twice a second.
    Hello(Box<Hello>),
    /// To all, at the end.
    Bye {
        /// Who ends.
        from: ServerNumber,
    },
    /// Whom do you have for this visitor? Answered with `given`.
    Seek(Box<Seek>),
    /// The answer to `seek`.
    Given {
        /// That of the question.
        id: u64,
        /// Reserved for the visitor.
        offers: Vec<Offer>,
    },
    /// A visitor's answers to offers that you gave. Answered with `relayed`.
    Answers {
        /// Who asks.
        from: ServerNumber,
        /// By which the answer is known.
        id: u64,
        /// That of the visit.
        ticket: Ticket,
        /// To offers of this server.
        answers: Vec<Answer>,
    },
    /// The answer to `answers`.
    Relayed {
        /// That of the question.
        id: u64,
        /// Why not one answer was relayed.
        refused: Option<AnswerError>,
    },
    /// What a visit of yours, or one that you gave peers to, reports.
    Visit {
        /// What it reports.
        post: VisitPost,
    },
    /// To all: what was sent to visits.
    Seen {
        /// Who saw it.
        from: ServerNumber,
        /// In this order.
        seen: Vec<Seen>,
    },
    /// To all: a forger came from this address.
    Flagged {
        /// Where it was dropped.
        from: ServerNumber,
        /// The forger's.
        address: IpAddr,
    },
    /// To all: what visits to a page use.
    Page {
        /// Who learned it.
        from: ServerNumber,
        /// Path of the page.
        page: String,
        /// Counts what is known of the page.
        generation: u64,
        /// All that is known.
        state: Box<PageState>,
    },
}

/// How a server is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Which server.
    pub from: ServerNumber,
    /// Tag of the version of the site that it answers with.
    pub version: String,
    /// Tags of all that it could answer with, newest first.
    pub versions: Vec<String>,
    /// Manifests that its ready peers hold, with how many.
    pub holds: Vec<(Digest, u32)>,
    /// What it did.
    pub numbers: Numbers,
}

/// A visitor who is to be given peers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seek {
    /// Who asks.
    pub from: ServerNumber,
    /// By which the answer is known.
    pub id: u64,
    /// Where the visitor is.
    pub addr: ClientAddr,
    /// Path of its page.
    pub page: String,
    /// What it wants.
    pub manifest: Digest,
    /// How many peers at most.
    pub wanted: usize,
    /// That of the visit.
    pub ticket: Ticket,
    /// Which peers it is given, and how.
    pub wish: GuestWish,
}

/// What a server saw of a visit, told to other servers of the site: whoever hears what a page used knows what was sent to that visit by all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A document was answered.
    Document {
        /// Number of the browser.
        browser: u64,
        /// Where it is.
        address: IpAddr,
        /// Path of the page.
        page: String,
        /// How it was answered.
        kind: AnswerKind,
        /// Nothing says that the browser was here before.
        is_first: bool,
    },
    /// A part of it was sent whole.
    Part {
        /// Number of the browser.
        browser: u64,
        /// Path of the page.
        page: String,
        /// That of the asset.
        path: String,
    },
}

/// What a server did since its start, for the statistics of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Sessions now.
    pub sessions: u64,
    /// Full answers to visits.
    pub full: u64,
    /// Thin answers.
    pub thin: u64,
    /// Plain answers.
    pub plain: u64,
    /// Bytes that it sent.
    pub sent_bytes: u64,
    /// Bytes that its visitors say they took from others.
    pub from_peers_bytes: u64,
}
