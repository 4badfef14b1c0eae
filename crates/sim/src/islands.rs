//! Customers of one provider: which address each has, and between whom nothing passes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::scenario::Scenario;

/// Visitors of one /24 of an island.
const PER_PREFIX: usize = 250;

/// The islands of a scenario by name: the number of each, and the endpoints of its visitors.
#[derive(Debug)]
pub struct Islands<'s>(BTreeMap<&'s str, (u32, Vec<usize>)>);

impl<'s> Islands<'s> {
    /// Those that groups name. Nobody is there yet.
    #[must_use]
    pub fn of(scenario: &'s Scenario) -> Self {
        let names: BTreeSet<&str> = scenario.group.iter().filter_map(|group| group.island.as_deref()).collect();
        Self(names.into_iter().zip(1..).map(|(name, number)| (name, (number, Vec::new()))).collect())
    }

    /// Settles the visitor at an endpoint on an island: its address, and the number of the island's network.
    pub fn settle(&mut self, island: &str, endpoint: usize) -> Option<(Ipv4Addr, u32)> {
        let (number, endpoints) = self.0.get_mut(island)?;
        let place = endpoints.len();
        endpoints.push(endpoint);
        // Beside 11.0.0.0/8 and 192.0.2.0/24, where everybody else is.
        let address = Ipv4Addr::new(172, *number as u8, (place / PER_PREFIX) as u8, (place % PER_PREFIX) as u8 + 1);
        Some((address, *number))
    }

    /// All pairs of endpoints of these pairs of islands, the smaller number first.
    #[must_use]
    pub fn between(&self, pairs: &'s [[String; 2]]) -> BTreeSet<(usize, usize)> {
        let of = |name: &String| self.0.get(name.as_str()).map_or(&[][..], |(_, endpoints)| endpoints);
        let all = |[one, other]: &'s [String; 2]| of(one).iter().flat_map(move |a| of(other).iter().map(move |b| (*a.min(b), *a.max(b))));
        pairs.iter().flat_map(all).collect()
    }
}
