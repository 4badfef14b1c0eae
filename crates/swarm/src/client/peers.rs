//! The connections of one visitor: who is at the other end, since when, and which of them are over.
//!
//! Drive it as [`client`](super) says. `vectors/session/peers` has its decisions.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use viral_wire::signal::{Beyond, ConnectFailure, PeerNumber, Push};
use viral_wire::{Channel, Digest, Frame};

use super::config::{CONTROL_FRAMES_PER_S_MAX, DIAL_GIVEN_UP_MS, DIAL_HOPED_MS, IDLE_MS, LINKS_MAX};
use super::parts::Parts;
use super::search::Met;
use crate::fetch::PeerKey;

/// What the host must do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PeersOutput {
    /// Close a connection that nobody used for long, or that never opened.
    Close {
        /// Which.
        peer: PeerKey,
    },
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Introduction {
    /// The tracker's number of the other end.
    pub number: PeerNumber,
    /// The offer's number, given by its maker.
    pub offer: u32,
    /// What will be sent unasked: by the other end if it was dialled, by this one otherwise.
    pub push: Option<Push>,
    /// Whether this end answered the other end's offer.
    pub dialled: bool,
    /// The other end is behind another line: what of all that comes from there this one takes.
    pub beyond: Option<Beyond>,
}

/// One connection, answered by either side.
#[derive(Debug)]
pub struct PeerLink {
    /// Where it comes from.
    pub from: Introduction,
    /// When the offer was answered, in milliseconds.
    pub started_at: u64,
    /// Whether packets found a way, and are encrypted.
    pub has_path: bool,
    /// Whether both channels opened.
    pub opened: bool,
    /// Manifests the other end said it holds whole.
    pub holds: Vec<Digest>,
    /// Parts of a manifest that the other end sends.
    pub parts: Parts,
    /// When a frame last went either way.
    used_at: u64,
    /// When the current second began, and the control frames that came in it.
    control_frames: (u64, u32),
}

impl PeerLink {
    /// Why it never opened, if it did not.
    #[must_use]
    pub fn failure(&self) -> Option<ConnectFailure> {
        let cause = if self.has_path { ConnectFailure::NoChannel } else { ConnectFailure::NoPath };
        (!self.opened).then_some(cause)
    }

    /// What the other end of a dial will send unasked.
    #[must_use]
    pub fn awaited_push(&self) -> Option<Push> {
        self.from.push.filter(|_| self.from.dialled)
    }

    /// When the connection is over, in milliseconds: nobody used it for long by then, or it did not open.
    #[must_use]
    pub fn ends_at(&self) -> u64 {
        if self.opened { self.used_at + IDLE_MS } else { self.started_at + DIAL_GIVEN_UP_MS }
    }
}

/// All connections of one visitor.
#[derive(Debug, Default)]
pub struct Peers {
    links: BTreeMap<PeerKey, PeerLink>,
    out: VecDeque<PeersOutput>,
}

impl Peers {
    /// An offer was answered, by either side. Nothing happens beyond the limit.
    pub fn handle_answered(&mut self, now: u64, peer: PeerKey, from: Introduction) {
        if self.room() > 0 {
            let link = PeerLink {
                from,
                started_at: now,
                has_path: false,
                opened: false,
                holds: Vec::new(),
                parts: Parts::default(),
                used_at: now,
                control_frames: (now, 0),
            };
            self.links.insert(peer, link);
        }
    }

    /// A connection has a path; its channels may open now.
    pub fn handle_path(&mut self, peer: PeerKey) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.has_path = true;
        }
    }

    /// Both channels of a connection opened.
    pub fn handle_open(&mut self, peer: PeerKey) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.opened = true;
        }
    }

    /// A frame came. False if there are more of the control channel's than any honest peer sends.
    pub fn handle_frame(&mut self, now: u64, peer: PeerKey, frame: &Frame) -> bool {
        let Some(link) = self.links.get_mut(&peer) else { return true };
        link.used_at = now;
        if frame.channel() == Channel::Pieces {
            return true;
        }
        let (since, count) = &mut link.control_frames;
        if now - *since >= 1_000 {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= CONTROL_FRAMES_PER_S_MAX
    }

    /// A frame is sent.
    pub fn handle_sent(&mut self, now: u64, peer: PeerKey) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| link.opened) {
            link.used_at = now;
        }
    }

    /// A connection is over; what was known of it, unless it is over already.
    pub fn handle_closed(&mut self, peer: PeerKey) -> Option<PeerLink> {
        self.links.remove(&peer)
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.out.extend(self.links.iter().filter(|(_, link)| link.ends_at() <= now).map(|(&peer, _)| PeersOutput::Close { peer }));
    }

    /// The connection of this name.
    #[must_use]
    pub fn get(&self, peer: PeerKey) -> Option<&PeerLink> {
        self.links.get(&peer)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, peer: PeerKey) -> Option<&mut PeerLink> {
        self.links.get_mut(&peer)
    }

    /// All connections, open or about to be, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &PeerLink)> {
        self.links.iter().map(|(&peer, link)| (peer, link))
    }

    /// How many more there may be.
    #[must_use]
    pub fn room(&self) -> usize {
        LINKS_MAX.saturating_sub(self.links.len())
    }

    /// Whether there is no connection at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// How many there are, for the search for more.
    #[must_use]
    pub fn met(&self, now: u64) -> Met {
        let mut met = Met::default();
        for link in self.links.values() {
            if link.opened {
                met.opened += 1;
            } else if now - link.started_at < DIAL_HOPED_MS {
                met.hopeful += 1;
            } else {
                met.late += 1;
            }
        }
        met
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<PeersOutput> {
        self.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.links.values().map(PeerLink::ends_at).min()
    }
}
