//! What is remembered beyond a session: where forgers came from, and which networks had peers dropped on their word alone.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    limits::{FAULT_COUNT_MAX, FLAGGED_ADDRESSES_MAX, FLAGGED_MS, SOLE_REPORTER_MS, SOLE_REPORTERS_MAX},
    locality,
};

/// The memory of one tracker. What is in it lapses by itself.
#[derive(Debug, Default)]
pub(super) struct Reputation {
    reporters: BTreeMap<IpAddr, Reporter>,
    /// Addresses of forgers that were dropped, and until when they are remembered.
    flagged_addresses: BTreeMap<IpAddr, u64>,
}

/// How often a network had peers dropped on its word alone.
#[derive(Debug, Clone, Copy)]
struct Reporter {
    since_ms: u64,
    drops: u32,
}

impl Reputation {
    /// Counts a drop that rests on the word of one network; false where this one had too many.
    pub(super) fn may_report_alone(&mut self, now_ms: u64, network: IpAddr, drops_max: u32) -> bool {
        let is_old = |reporter: &Reporter| now_ms.saturating_sub(reporter.since_ms) >= SOLE_REPORTER_MS;
        if !self.reporters.contains_key(&network) && self.reporters.len() >= SOLE_REPORTERS_MAX {
            self.reporters.retain(|_, reporter| !is_old(reporter));
            if self.reporters.len() >= SOLE_REPORTERS_MAX {
                return false;
            }
        }
        let reporter = self.reporters.entry(network).or_insert(Reporter { since_ms: now_ms, drops: 0 });
        if is_old(reporter) {
            *reporter = Reporter { since_ms: now_ms, drops: 0 };
        }
        if reporter.drops >= drops_max {
            return false;
        }
        reporter.drops += 1;
        true
    }

    /// Remembers that a forger came from this address: it may come back under another number.
    pub(super) fn flag_address(&mut self, now_ms: u64, address: IpAddr) {
        if self.flagged_addresses.len() >= FLAGGED_ADDRESSES_MAX {
            self.flagged_addresses.retain(|_, until_ms| *until_ms > now_ms);
        }
        let address_key = locality::address_key(address);
        if self.flagged_addresses.len() < FLAGGED_ADDRESSES_MAX || self.flagged_addresses.contains_key(&address_key) {
            self.flagged_addresses.insert(address_key, now_ms.saturating_add(FLAGGED_MS));
        }
    }

    /// Faults that a session from this address begins with. Those of a flagged address put it behind everybody as near until somebody got verified bytes from it.
    pub(super) fn fault_count_of(&self, now_ms: u64, address: IpAddr) -> u32 {
        let until_ms = self.flagged_addresses.get(&locality::address_key(address));
        if until_ms.is_some_and(|until_ms| *until_ms > now_ms) { FAULT_COUNT_MAX - 1 } else { 0 }
    }
}
