//! What carries messages between endpoints, and what it says.

use crate::message::Payload;

/// A connection; never used for two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// Its place.
    pub slot: u32,
    /// How many had that place before.
    pub turn: u32,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The client of TCP; of a data channel whoever answered an offer.
    A,
    /// The origin; of a data channel the maker of the offer.
    B,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 or 1.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self == Self::B)
    }
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A visitor's to the origin.
    Tcp,
    /// Between two visitors.
    DataChannel,
}

/// What happened on the network.
#[derive(Debug)]
pub enum NetEvent {
    /// One end of a connection opened.
    Opened {
        /// Which.
        conn: ConnId,
        /// Which end.
        side: Side,
    },
    /// A message came in whole.
    Message {
        /// On which connection.
        conn: ConnId,
        /// At which end.
        side: Side,
        /// What.
        payload: Payload,
    },
    /// Less is in flight from this end.
    Acknowledged {
        /// On which connection.
        conn: ConnId,
        /// From which end.
        side: Side,
    },
    /// The other end closed the connection.
    Closed {
        /// Which.
        conn: ConnId,
        /// Who hears it.
        side: Side,
    },
}

/// Counts of all that was carried, in bytes of whole packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// From the origin's line.
    pub origin_up_bytes: u64,
    /// Down shared lines, from outside.
    pub gateway_down_bytes: u64,
    /// From visitors to visitors.
    pub peer_bytes: u64,
    /// Packets, or transfers.
    pub count: u64,
    /// Packets lost.
    pub lost: u64,
}
