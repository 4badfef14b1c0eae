//! What is remembered beyond a session: where forgers came from, and which networks had peers dropped on their word alone.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    limits::{SOLE_WITNESS_MS, SOLE_WITNESSES_MAX, STRIKES_MAX, SUSPECT_MS, SUSPECTS_MAX},
    locality,
};

/// The memory of one tracker. What is in it lapses by itself.
#[derive(Debug, Default)]
pub(super) struct Reputation {
    witnesses: BTreeMap<IpAddr, Witness>,
    /// Sites of forgers that were dropped, and until when they are remembered.
    suspects: BTreeMap<IpAddr, u64>,
}

/// How often a network had peers dropped on its word alone.
#[derive(Debug, Clone, Copy)]
struct Witness {
    since_ms: u64,
    drops: u32,
}

impl Reputation {
    /// Counts a drop that rests on the word of one network; false where this one had too many.
    pub(super) fn may_witness_alone(&mut self, now_ms: u64, network: IpAddr, drops_max: u32) -> bool {
        let is_old = |witness: &Witness| now_ms.saturating_sub(witness.since_ms) >= SOLE_WITNESS_MS;
        if !self.witnesses.contains_key(&network) && self.witnesses.len() >= SOLE_WITNESSES_MAX {
            self.witnesses.retain(|_, witness| !is_old(witness));
            if self.witnesses.len() >= SOLE_WITNESSES_MAX {
                return false;
            }
        }
        let witness = self.witnesses.entry(network).or_insert(Witness { since_ms: now_ms, drops: 0 });
        if is_old(witness) {
            *witness = Witness { since_ms: now_ms, drops: 0 };
        }
        if witness.drops >= drops_max {
            return false;
        }
        witness.drops += 1;
        true
    }

    /// Remembers that a forger came from this address: it may come back under another number.
    pub(super) fn suspect(&mut self, now_ms: u64, address: IpAddr) {
        if self.suspects.len() >= SUSPECTS_MAX {
            self.suspects.retain(|_, until_ms| *until_ms > now_ms);
        }
        let address_key = locality::address_key(address);
        if self.suspects.len() < SUSPECTS_MAX || self.suspects.contains_key(&address_key) {
            self.suspects.insert(address_key, now_ms.saturating_add(SUSPECT_MS));
        }
    }

    /// Strikes that a session from this address begins with. Those of a suspect put it behind everybody as near until somebody got verified bytes from it.
    pub(super) fn strikes_of(&self, now_ms: u64, address: IpAddr) -> u32 {
        let until_ms = self.suspects.get(&locality::address_key(address));
        if until_ms.is_some_and(|until_ms| *until_ms > now_ms) { STRIKES_MAX - 1 } else { 0 }
    }
}
