//! Who is interested in which pieces, and hears of them once they are here.
//!
//! Drive it as [`client`](super) says. `vectors/session/announce` has its decisions.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use viral_wire::PieceId;
use viral_wire::limits::QUERY_IDS_MAX;

use super::config::{HAVE_MS, INTERESTED_IDS_MAX};
use crate::fetch::PeerKey;

/// What the host must do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AnnounceOutput {
    /// Send a `have`.
    Have {
        /// To whom.
        peer: PeerKey,
        /// At most [`QUERY_IDS_MAX`], none if a query named nothing that is held.
        ids: Vec<PieceId>,
    },
}

/// Answers queries, and announces what was asked about and came later.
#[derive(Debug)]
pub struct Announce {
    /// Who uploads nothing holds nothing for others.
    serves: bool,
    /// By peer: pieces that it asked about and that were not here.
    interested: BTreeMap<PeerKey, BTreeSet<PieceId>>,
    /// Pieces that came since the last announcement and that somebody asked about.
    have_queue: Vec<PieceId>,
    due: Option<u64>,
    out: VecDeque<AnnounceOutput>,
}

impl Announce {
    /// Nobody asked yet. `serves`: whether anything is uploaded at all.
    #[must_use]
    pub fn new(serves: bool) -> Self {
        Self { serves, interested: BTreeMap::new(), have_queue: Vec::new(), due: None, out: VecDeque::new() }
    }

    /// A peer asks which of these are here; `held` tells. It hears of the others later, as many as there is room for.
    pub fn handle_query(&mut self, peer: PeerKey, ids: &[PieceId], held: impl Fn(&PieceId) -> bool) {
        let (here, lacked): (Vec<_>, Vec<_>) = ids.iter().copied().partition(|id| self.serves && held(id));
        if self.serves && !lacked.is_empty() {
            let interest = self.interested.entry(peer).or_default();
            for id in lacked {
                if interest.len() < INTERESTED_IDS_MAX {
                    interest.insert(id);
                }
            }
        }
        self.out.push_back(AnnounceOutput::Have { peer, ids: here });
    }

    /// A peer holds these: that they are here, too, is no news to it. In a crowd it saves every second word.
    pub fn handle_held_by(&mut self, peer: PeerKey, ids: &[PieceId]) {
        if let Some(interest) = self.interested.get_mut(&peer) {
            for id in ids {
                interest.remove(id);
            }
        }
    }

    /// A piece is here now, verified and stored.
    pub fn handle_kept(&mut self, now: u64, id: PieceId) {
        if self.interested.values().any(|interest| interest.contains(&id)) {
            self.have_queue.push(id);
            self.due.get_or_insert(now + HAVE_MS);
        }
    }

    /// A peer's connection ended.
    pub fn handle_closed(&mut self, peer: PeerKey) {
        self.interested.remove(&peer);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        let have_queue = std::mem::take(&mut self.have_queue);
        for (&peer, interest) in &mut self.interested {
            let ids: Vec<PieceId> = have_queue.iter().filter(|id| interest.remove(*id)).copied().collect();
            self.out.extend(ids.chunks(QUERY_IDS_MAX).map(|ids| AnnounceOutput::Have { peer, ids: ids.to_vec() }));
        }
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<AnnounceOutput> {
        self.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.due
    }
}
