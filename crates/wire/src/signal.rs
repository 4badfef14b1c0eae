//! What travels as JSON between a visitor and the server, on the WebSocket and over HTTP.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use ts_rs::TS;

use crate::{
    description::Description,
    digest::{Digest, PieceId, Ticket},
    limits::PEER_NUMBER_END,
};

pub use boot::{BOOT_HEAD, boot_of, kind_and_reason};
pub use decode::{Signal, SignalError, decode, encode, encode_for_html};
pub use http::{AnswerPost, CrowdScript, Deploy, DoctorCheck, DoctorPost, PersonalPost, RecordPost, ThinBoot, TimePost, VisitPost};

mod boot;
mod decode;
mod http;

/// A session's number, random, below 2^53; anonymous and gone with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, TS)]
#[ts(type = "number")]
pub struct PeerNumber(u64);

impl PeerNumber {
    /// The number made of the lower 53 bits of `bits`, which the caller draws at random.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits % PEER_NUMBER_END)
    }

    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PeerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for PeerNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number < PEER_NUMBER_END { Ok(Self(number)) } else { Err(de::Error::custom("peer number over 2^53")) }
    }
}

/// What a peer says to the tracker, on the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PeerToTracker {
    /// First message of a session.
    Register {
        /// Path of the page.
        page: String,
        /// Page manifest the peer holds, wholly or in part.
        manifest: Option<Digest>,
        /// Ticket of the thin visit this page came from.
        ticket: Option<Ticket>,
        /// How many leechers the peer is willing to serve at once.
        slots: u8,
    },
    /// Ready-made offers, each usable once.
    Offers {
        /// 1..=[`OFFERS_PER_PEER_MAX`](crate::limits::OFFERS_PER_PEER_MAX).
        offers: Vec<ReadyOffer>,
    },
    /// What this visit used so far, before or after `load`. The newest replaces the older ones; at most
    /// [`LOADED_REPORTS_MAX`](crate::limits::LOADED_REPORTS_MAX) in one session.
    Loaded {
        /// Path of the page.
        page: String,
        /// Paths in the order in which their requests began, at most [`LOADED_ASSETS_MAX`](crate::limits::LOADED_ASSETS_MAX).
        assets: Vec<String>,
    },
    /// What the peer holds now.
    Held {
        /// The manifest meant.
        manifest: Digest,
        /// Distinct pieces of it held.
        pieces: u32,
        /// Their raw bytes.
        #[ts(type = "number")]
        bytes: u64,
    },
    /// Asks for more peers.
    Find {
        /// The manifest sought, null for the page's current one.
        manifest: Option<Digest>,
        /// How many peers.
        count: u8,
    },
    /// Asks which pieces to take from the origin next, as one of a crowd.
    Share {
        /// The manifest meant.
        manifest: Digest,
        /// How many of the pieces given before, oldest first, are held now.
        done: u32,
    },
    /// Gives back the pieces that it was granted and does not hold: a page that nobody looks at may stand still any moment. It asks again once it is looked at.
    Unshare {},
    /// Answers to offers the tracker handed out.
    Answers {
        /// 1..=[`ANSWERS_MAX`](crate::limits::ANSWERS_MAX).
        answers: Vec<Answer>,
        /// Say `relayed` with this number once they are on their way to the makers of the offers: this peer sends nothing to some of their addresses before. Left out where
        /// nobody waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        tell: Option<u32>,
    },
    /// A connection ended; its slot is free again.
    Closed {
        /// The other end.
        peer: PeerNumber,
        /// The offer it was made from.
        offer: u32,
        /// Why it never opened. Left out where it did, or nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        cause: Option<ConnectFailure>,
    },
    /// What this peer learned of its way to others. The newest replaces the older ones.
    Nat {
        /// What it is behind; null while that is not known.
        nat: Option<NatKind>,
        /// Nothing keeps the addresses alive that the server told its idle offers: they soon lead nowhere. Left out where false.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(as = "Option<bool>", optional)]
        fades: bool,
    },
    /// A connection opened.
    Opened {
        /// The other end.
        peer: PeerNumber,
        /// The offer it was made from.
        offer: u32,
        /// From the answer to the open channel, in milliseconds: four round trips and what the two take to compute.
        ms: u32,
    },
    /// Another peer misbehaved.
    Report(FaultReport),
    /// Growth since the last report.
    Counts(Counts),
}

/// What the tracker says to a peer, on the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrackerToPeer {
    /// The reply to `register`.
    Welcome {
        /// The peer's own number.
        peer: PeerNumber,
        /// Ready-made offers to leave now.
        offers_wanted: u8,
        /// Leechers to serve at once.
        slots: u8,
        /// Upload cap in bytes per second; 0 means none.
        up_bytes_per_s: u32,
        /// Upload cap in bytes for each day of a visit. Left out where there is none.
        #[serde(default, skip_serializing_if = "is_zero")]
        #[ts(as = "Option<u32>", optional)]
        up_bytes_per_day: u64,
        /// UDP ports of the server's host at which it says how it sees who asks (STUN), at most [`STUN_PORTS_MAX`](crate::limits::STUN_PORTS_MAX). Left out where that is of no
        /// use to this peer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<u16>>", optional)]
        stun: Vec<u16>,
    },
    /// Other limits than those of `welcome` hold from now on.
    Limits {
        /// Leechers to serve at once; 0: what waits is refused, and nothing is given any more.
        slots: u8,
        /// Upload cap in bytes per second; 0 means none.
        up_bytes_per_s: u32,
        /// Upload cap in bytes for each day of a visit. Left out where there is none.
        #[serde(default, skip_serializing_if = "is_zero")]
        #[ts(as = "Option<u32>", optional)]
        up_bytes_per_day: u64,
    },
    /// What this page's manifest is now.
    Manifest {
        /// Path of the page.
        page: String,
        /// Its manifest.
        manifest: Digest,
    },
    /// A leecher answered one of the peer's offers.
    Answer {
        /// Which offer.
        offer: u32,
        /// The leecher.
        peer: PeerNumber,
        /// Its answer.
        description: Description,
        /// What to send it unasked.
        push: Option<Push>,
        /// The leecher is behind another line, as far as the tracker knows: what of all that comes from there this peer takes. Left out where not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        beyond: Option<Beyond>,
    },
    /// The reply to `answers` with `tell`, whatever became of them: those whose offers are still there are on their way to the offers' makers.
    Relayed {
        /// The number that `answers` brought.
        tell: u32,
    },
    /// The reply to `find`.
    Peers {
        /// At most [`OFFERS_PER_LEECHER_MAX`](crate::limits::OFFERS_PER_LEECHER_MAX).
        offers: Vec<Offer>,
    },
    /// The reply to `share`, at once or when it is this peer's turn.
    Share {
        /// The manifest meant.
        manifest: Digest,
        /// Places among its distinct pieces in order of first appearance, at most
        /// [`SHARE_PIECES_MAX`](crate::limits::SHARE_PIECES_MAX). Empty: every piece is with somebody, ask peers.
        pieces: Vec<u32>,
    },
    /// What the server sent to this visit and its `loaded` does not name, since workers asked for it: the page may hold it from its HTTP cache.
    Used {
        /// Path of the page.
        page: String,
        /// Paths, at most [`LOADED_ASSETS_MAX`](crate::limits::LOADED_ASSETS_MAX).
        assets: Vec<String>,
    },
    /// Leave this many more offers.
    OffersWanted {
        /// How many.
        count: u8,
    },
    /// The session is over and will not be renewed.
    Dropped {
        /// Why.
        reason: DropReason,
    },
    /// A message was refused.
    Error {
        /// What kind of mistake it was.
        code: ErrorCode,
        /// One line for a person.
        message: String,
    },
}

/// An offer as its maker leaves it with the tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ReadyOffer {
    /// The maker's own number for it.
    pub offer: u32,
    /// The offer.
    pub description: Description,
}

/// A ready-made offer as a leecher gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its maker.
    pub peer: PeerNumber,
    /// The maker's own number for it.
    pub offer: u32,
    /// The offer.
    pub description: Description,
    /// What the maker will send unasked.
    pub push: Option<Push>,
    /// The maker is not behind the same address: it may need to know how the world sees who answers. Left out where false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub far: bool,
    /// The maker is behind another line, as far as the tracker knows: what of all that comes from there the leecher takes. Left out where not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub beyond: Option<Beyond>,
}

/// Which pieces one of those behind a line takes over it; neighbours take the others. What was told last holds for all peers beyond the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Beyond {
    /// Those whose id's last byte leaves this remainder, divided by `stripes`; none where it is not below that.
    pub stripe: u8,
    /// Among so many the pieces are divided.
    pub stripes: u8,
}

impl Beyond {
    /// Whether this one takes the piece.
    #[must_use]
    pub fn takes(&self, id: &PieceId) -> bool {
        self.stripes > 0 && id.0[id.0.len() - 1] % self.stripes == self.stripe
    }
}

/// An answer to an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The offer's maker.
    pub peer: PeerNumber,
    /// The maker's own number for the offer.
    pub offer: u32,
    /// The answer. Browsers may send the SDP text itself; it is compact from here on.
    #[ts(type = "readonly unknown[] | string")]
    pub description: Description,
}

/// Which pieces a seeder sends unasked; see [`planned`](crate::push::planned).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The manifest meant.
    pub manifest: Digest,
    /// This seeder's share, below `stripes`.
    pub stripe: u8,
    /// Among how many seeders the pieces are dealt, at least 1.
    pub stripes: u8,
    /// Raw bytes at most.
    pub budget: u32,
}

/// What somebody is behind, by how it gives out ports and whom it lets in (RFC 4787 sections 4 and 5). Who cannot tell whom it lets in says `port_restricted`, the commonest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// Nothing: the world sees its own address and port.
    Open,
    /// One port for everybody; anybody is let in.
    FullCone,
    /// One port for everybody; addresses are let in to which it sent.
    AddressRestricted,
    /// One port for everybody; addresses and ports are let in to which it sent.
    PortRestricted,
    /// Another port for each destination, which alone is let in.
    Symmetric,
}

/// Why a connection never opened, as one end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectFailure {
    /// This end has no address of its own to tell: a policy forbids it.
    NoCandidate,
    /// No packet found a way.
    NoPath,
    /// There is a path, but the channels did not open by the deadline.
    NoChannel,
}

/// How a peer misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It sent bytes that do not match their digest.
    Forged,
    /// It sent what nobody asked for.
    Unasked,
    /// It sent what is not a frame.
    Malformed,
    /// It accepted and sent nothing.
    Silent,
    /// It was too slow to be useful.
    Slow,
}

impl Fault {
    /// Its name, the same as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Unasked => "unasked",
            Self::Malformed => "malformed",
            Self::Silent => "silent",
            Self::Slow => "slow",
        }
    }
}

/// One misbehaviour of one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FaultReport {
    /// Who.
    pub peer: PeerNumber,
    /// What.
    pub fault: Fault,
}

/// Bytes and pieces since the last report, as the visitor counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Verified bytes taken from peers.
    #[ts(type = "number")]
    pub bytes_from_peers: u64,
    /// Verified bytes taken from the origin.
    #[ts(type = "number")]
    pub bytes_from_origin: u64,
    /// Bytes sent to peers.
    #[ts(type = "number")]
    pub bytes_to_peers: u64,
    /// Pieces that matched their digest.
    pub pieces_verified: u32,
    /// Who gave how much, at most [`SOURCES_MAX`](crate::limits::SOURCES_MAX).
    pub sources: Vec<SourceBytes>,
    /// Verified bytes taken from peers by ring of the page set: critical, expected, on demand. Left out where all are 0.
    #[serde(default, skip_serializing_if = "are_zero")]
    #[ts(as = "Option<[f64; 3]>", optional)]
    pub rings: [u64; 3],
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

fn are_zero(rings: &[u64; 3]) -> bool {
    *rings == [0; 3]
}

/// Verified bytes taken from one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SourceBytes {
    /// Who.
    pub peer: PeerNumber,
    /// How much.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Bytes per second it gives, as the visitor measured; 0 or left out where it could not.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub rate: u32,
}

/// Why the tracker ends a session for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Independent peers reported forged pieces.
    Forged,
    /// The script is of a version the server no longer speaks.
    Version,
    /// The server sheds load.
    Overload,
}

/// What kind of mistake a refused message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not a signal, or over a limit.
    Malformed,
    /// A signal that makes no sense now, such as offers before `register`.
    Unexpected,
    /// Too many of something, or too often.
    TooMany,
    /// A page, offer or peer that the tracker does not know, or never matched with the sender.
    Unknown,
    /// It may not register for this page: the server did not answer it with the page, or too long ago. Whoever asks for the page again may come again.
    Ticket,
}
