//! What a choice among seeders is made by.

use viral_wire::{
    Digest,
    signal::{NatKind, PeerNumber},
};

use super::nearness::Learned;
use crate::{address::ClientAddr, coverage::Coverage, locality::Place};

/// What a choice among seeders is for.
pub(super) struct Search<'a> {
    pub(super) now_ms: u64,
    pub(super) addr: ClientAddr,
    pub(super) place: Place,
    /// What it says that it is behind; a thin visit could not say yet.
    pub(super) nat: Option<NatKind>,
    /// Whether its offers name an address of IPv6.
    pub(super) names_ipv6: bool,
    pub(super) manifest: Digest,
    pub(super) count_max: usize,
    pub(super) excluded: &'a dyn Fn(PeerNumber) -> bool,
    /// Least share of the wanted manifest that a peer must hold, in permille.
    pub(super) covered_min: u16,
    /// For a thin answer, whose holder cannot ask again: never two of one foreign network.
    pub(super) is_thin: bool,
    /// Only of the nearest tiers, of which another server's visitor wants somebody.
    pub(super) near_only: bool,
    /// Who is behind another line is chosen only if it may be connected beyond that.
    pub(super) crossing: Crossing,
    /// What others of its network got of whom.
    pub(super) learned: Learned<'a>,
    pub(super) coverage: &'a dyn Coverage,
}

/// Who may be connected beyond a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crossing {
    /// Anybody: there is no crowd, or somebody does not reach neighbours.
    Free,
    /// The few of each line.
    Few,
    /// This one, with whomever.
    Own,
    /// Not this one: few of its neighbours are already.
    Never,
}
