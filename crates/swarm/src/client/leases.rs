//! When one of a crowd asks for its first lease, before it knows the manifest whose pieces the lease names.
//!
//! Drive it as [`client`](super) says; no time passes in it. Later leases are asked for by the download itself ([`fetch`](crate::fetch)), whose wish this part
//! turns into a signal.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use viral_wire::{Digest, limits::LEASE_FIRST_PIECES};

/// What the host must do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LeaseOutput {
    /// Send a `share`; [`Leases::handle_unsent`] if that fails.
    Ask {
        /// Of which manifest.
        manifest: Digest,
        /// Pieces of earlier leases that are held now and were not reported yet.
        done: u32,
    },
    /// The pieces at these places of the manifest are ours: [`handle_lease`](crate::fetch::Fetch::handle_lease).
    Take {
        /// Which.
        manifest: Digest,
        /// Places among its distinct pieces; none = everything is with somebody.
        places: Vec<u32>,
    },
    /// Ask the origin for the manifest now.
    AskManifest,
}

#[derive(Debug, PartialEq, Eq)]
enum First {
    /// Not asked for yet.
    Unasked,
    /// Asked for, or about to be with the registration.
    Asked,
    /// Places in the manifest, which is not here yet.
    Given(Vec<u32>),
    /// The download asks by itself.
    Over,
}

/// The first lease of one visitor.
#[derive(Debug)]
pub struct Leases {
    in_crowd: bool,
    first: First,
    /// The download wants to ask, and there is no session yet: of which manifest, with how many pieces done.
    owed: Option<(Digest, u32)>,
    /// A `share` of this manifest waits for its reply.
    asked: Option<Digest>,
    out: VecDeque<LeaseOutput>,
}

impl Leases {
    /// `in_crowd`: whether nobody had the app when this visitor came. `asks_at_once`: whether it was told the manifest and met nobody, so that the registration
    /// asks for a lease. `is_first`: whether it was given the first pieces with the visit's answer.
    #[must_use]
    pub fn new(in_crowd: bool, asks_at_once: bool, is_first: bool) -> Self {
        let first = match (in_crowd, is_first, asks_at_once) {
            (true, true, _) => First::Given((0..LEASE_FIRST_PIECES).collect()),
            (true, false, true) => First::Asked,
            (true, false, false) | (false, _, _) => First::Unasked,
        };
        Self { in_crowd, first, owed: None, asked: None, out: VecDeque::new() }
    }

    /// Whether the first messages of a session ask for a lease.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.first == First::Asked
    }

    /// Whether the download is to wait for leases: the tracker grants them, or will once there is a session that the first is asked for in. Who met somebody near has
    /// the manifest before the session, and is not to take from the origin meanwhile what others were granted. `live`: whether there is one.
    #[must_use]
    pub fn is_leasing(&self, live: bool) -> bool {
        self.in_crowd && (live || self.first != First::Over)
    }

    /// There is no session: nobody grants leases until there is another. What waits for a reply is asked again then.
    pub fn handle_lost(&mut self) {
        self.first = First::Over;
        self.owed = self.owed.or(self.asked.take().map(|manifest| (manifest, 0)));
    }

    /// Another manifest is looked for in place of one that was not here yet. Whether the registration changed by that.
    pub fn handle_renamed(&mut self) -> bool {
        let is_open = self.first != First::Over;
        if is_open {
            self.first = First::Unasked;
        }
        is_open
    }

    /// There is nobody to wait for who may have the sought manifest. Who has to wait for a lease came after others, and will have the manifest from them sooner
    /// than the origin could send it once more.
    pub fn handle_alone(&mut self, sought: Digest, live: bool) {
        if !self.in_crowd {
            return;
        }
        if self.first == First::Unasked && live {
            self.first = First::Asked;
            self.ask(sought, 0);
        }
        if self.first != First::Asked {
            self.out.push_back(LeaseOutput::AskManifest);
        }
    }

    /// The tracker grants a lease of the manifest that is sought. Whether it is empty: then whoever is alone has to ask the origin all the same.
    pub fn handle_early(&mut self, places: Vec<u32>) -> bool {
        self.asked = None;
        let is_empty = places.is_empty();
        self.first = First::Given(places);
        if !is_empty {
            self.out.push_back(LeaseOutput::AskManifest);
        }
        is_empty
    }

    /// The tracker grants a lease of a manifest that is here.
    pub fn handle_given(&mut self, manifest: Digest, places: Vec<u32>) {
        (self.first, self.asked) = (First::Over, None);
        self.out.push_back(LeaseOutput::Take { manifest, places });
    }

    /// There is a session now: what could not be asked until then is.
    pub fn handle_welcome(&mut self) {
        if let Some((manifest, done)) = self.owed.take() {
            self.ask(manifest, done);
        }
    }

    /// The download of `manifest` wants a lease; `done` as it says. `live`: whether there is a session to ask in.
    pub fn handle_wanted(&mut self, manifest: Digest, done: u32, live: bool) {
        match std::mem::replace(&mut self.first, First::Over) {
            // The answer is on its way.
            First::Asked if done == 0 => self.first = First::Asked,
            First::Given(places) => self.out.push_back(LeaseOutput::Take { manifest, places }),
            First::Unasked | First::Asked | First::Over if live => self.ask(manifest, done),
            First::Unasked | First::Asked | First::Over => self.owed = Some((manifest, done)),
        }
    }

    /// A `share` could not be sent: the socket is full. Who waits for the first lease waits for nothing then.
    pub fn handle_unsent(&mut self) {
        if self.first == First::Asked {
            self.first = First::Unasked;
            self.out.push_back(LeaseOutput::AskManifest);
        }
    }

    fn ask(&mut self, manifest: Digest, done: u32) {
        self.asked = Some(manifest);
        self.out.push_back(LeaseOutput::Ask { manifest, done });
    }

    /// The next thing to do; `None` when there is nothing until the next call.
    pub fn poll(&mut self) -> Option<LeaseOutput> {
        self.out.pop_front()
    }
}
