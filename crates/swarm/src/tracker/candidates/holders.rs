//! Who is ready to give one manifest, found by each tier of locality at the same cost among any number.

use std::collections::HashMap;

use viral_wire::signal::PeerNumber;

use super::list::{List, Table, place, round};
use crate::{
    limits::TIER_SCAN_CELL_MAX,
    locality::{Key, Place, Tier},
};

/// The tiers of which each cell is in a list, where it has their key; in the last list are all cells.
const CELL_TIERS: [Tier; 6] = [Tier::SameSite, Tier::SamePrefix, Tier::SameNetwork, Tier::SameCountry, Tier::SameContinent, Tier::Anyone];

/// Ready holders of a manifest.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_address: HashMap<Key, List<PeerNumber>>,
    cells: Table<Cell>,
    /// The cells of each site, prefix, network, country and continent.
    by_key: HashMap<Key, List<u32>>,
    /// All cells.
    all: Vec<u32>,
    pub(super) count: usize,
}

/// The peers of one prefix of whose places the same is known: almost always all of that prefix. However many they are, they are found no sooner than one.
#[derive(Debug)]
struct Cell {
    /// A place of one of them; only their prefix and region count.
    of: Place,
    peers: List<PeerNumber>,
    /// Its places in the lists of [`CELL_TIERS`].
    at: [u32; CELL_TIERS.len()],
}

/// Where a peer stands, in the order in which [`Holders`] looks for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Its address.
    pub(super) near: Key,
    /// Its place among those of its address.
    pub(super) near_at: u32,
    cell: u32,
    /// Its place among those of its cell.
    pub(super) cell_at: u32,
}

impl Holders {
    pub(super) fn insert(&mut self, peer: PeerNumber, of: &Place) -> Option<Standing> {
        let near = of.key(Tier::SameAddress)?;
        let near_at = match self.by_address.get_mut(&near) {
            Some(neighbours) => neighbours.push(peer),
            None => {
                self.by_address.insert(near, List::One(peer));
                0
            }
        };
        let known = self.cell_of(of);
        let (cell, cell_at) = match known.and_then(|number| Some((number, self.cells.get_mut(number)?))) {
            Some((number, cell)) => (number, cell.peers.push(peer)),
            None => (self.insert_cell(peer, of), 0),
        };
        self.count += 1;
        Some(Standing { near, near_at, cell, cell_at })
    }

    /// Returns the peers that took the place of this one, among those of its address and of its cell.
    pub(super) fn remove(&mut self, standing: &Standing) -> [Option<PeerNumber>; 2] {
        self.count -= 1;
        let neighbours = self.by_address.get_mut(&standing.near);
        let moved_near = neighbours.and_then(|neighbours| neighbours.take_out(standing.near_at));
        if self.by_address.get(&standing.near).is_some_and(List::is_empty) {
            self.by_address.remove(&standing.near);
        }
        let cell = self.cells.get_mut(standing.cell);
        let moved = cell.and_then(|cell| cell.peers.take_out(standing.cell_at));
        if self.cells.get(standing.cell).is_some_and(|cell| cell.peers.is_empty()) {
            self.remove_cell(standing.cell);
        }
        [moved_near, moved]
    }

    /// Whether a peer that stands there would get the same standing at this place.
    pub(super) fn is_at(&self, standing: &Standing, of: &Place) -> bool {
        of.key(Tier::SameAddress) == Some(standing.near) && self.cells.get(standing.cell).is_some_and(|cell| cell.of.region == of.region)
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerNumber> {
        self.all.iter().filter_map(|number| self.cells.get(*number)).flat_map(|cell| cell.peers.as_slice()).copied()
    }

    /// Up to `count_max` of those that are within a tier of a place, from one on that `start` names.
    pub(super) fn within<'h>(&'h self, of: &Place, tier: Tier, start: u64, count_max: usize) -> Box<dyn Iterator<Item = PeerNumber> + 'h> {
        let cells = match tier {
            Tier::SameAddress => {
                let neighbours = of.key(tier).and_then(|key| self.by_address.get(&key)).map(List::as_slice);
                return Box::new(neighbours.into_iter().flat_map(move |peers| round(peers, start, count_max)).copied());
            }
            Tier::Anyone => Some(self.all.as_slice()),
            Tier::SameSite | Tier::SamePrefix | Tier::SameNetwork | Tier::SameCountry | Tier::SameContinent => {
                of.key(tier).and_then(|key| self.by_key.get(&key)).map(List::as_slice)
            }
        };
        match (tier, cells) {
            (_, None) => Box::new(std::iter::empty()),
            (Tier::SamePrefix, Some([only])) => {
                let peers = self.cells.get(*only).map(|cell| cell.peers.as_slice());
                Box::new(peers.into_iter().flat_map(move |peers| round(peers, start, count_max)).copied())
            }
            // Whoever is left out here is found on the last tier.
            (Tier::SameNetwork | Tier::SameCountry | Tier::SameContinent, Some(cells)) => {
                Box::new(self.one_of_each(cells, start, count_max.min(cells.len().saturating_mul(TIER_SCAN_CELL_MAX))))
            }
            (_, Some(cells)) => Box::new(self.one_of_each(cells, start, count_max)),
        }
    }

    /// A few of a network, from one on that `start` names.
    pub(super) fn of_network(&self, network: Key, start: u64) -> impl Iterator<Item = PeerNumber> + '_ {
        let cells = self.by_key.get(&network).map_or(&[][..], List::as_slice);
        self.one_of_each(cells, start, TIER_SCAN_CELL_MAX)
    }

    /// One of each cell, from a random cell on, then the second of each, and so on, until there are `count_max`. Looks up no more than is taken.
    fn one_of_each<'h>(&'h self, cells: &'h [u32], start: u64, count_max: usize) -> impl Iterator<Item = PeerNumber> + 'h {
        let peers = move || round(cells, start, count_max).filter_map(|number| self.cells.get(*number)).map(|cell| cell.peers.as_slice());
        // Another number than the one that names the cell: which peer leads must not hang on that.
        let first = start.rotate_left(32);
        let nth_of_each = move |nth| peers().filter_map(move |peers| round(peers, first, count_max).nth(nth));
        let most = move || peers().map(<[_]>::len).max().unwrap_or(0).min(count_max);
        nth_of_each(0).chain(std::iter::once_with(move || (1..most()).flat_map(nth_of_each)).flatten()).take(count_max).copied()
    }

    /// The cell of a place. A prefix has few: as many as the operator's files have entries that are smaller than it.
    fn cell_of(&self, of: &Place) -> Option<u32> {
        let cells = self.by_key.get(&of.key(Tier::SamePrefix)?)?.as_slice();
        cells.iter().copied().find(|number| self.cells.get(*number).is_some_and(|cell| cell.of.region == of.region))
    }

    fn insert_cell(&mut self, peer: PeerNumber, of: &Place) -> u32 {
        let number = self.cells.insert(Cell { of: *of, peers: List::One(peer), at: [0; CELL_TIERS.len()] });
        let mut at = [0; CELL_TIERS.len()];
        for (at, tier) in at.iter_mut().zip(CELL_TIERS) {
            *at = match of.key(tier) {
                Some(key) => match self.by_key.get_mut(&key) {
                    Some(cells) => cells.push(number),
                    None => {
                        self.by_key.insert(key, List::One(number));
                        0
                    }
                },
                None if tier == Tier::Anyone => {
                    self.all.push(number);
                    place(self.all.len() - 1)
                }
                None => 0,
            };
        }
        if let Some(cell) = self.cells.get_mut(number) {
            cell.at = at;
        }
        number
    }

    fn remove_cell(&mut self, number: u32) {
        let Some(Cell { of, at, .. }) = self.cells.remove(number) else { return };
        for (list, (at, tier)) in at.into_iter().zip(CELL_TIERS).enumerate() {
            let moved = match of.key(tier) {
                Some(key) => {
                    let moved = self.by_key.get_mut(&key).and_then(|cells| cells.take_out(at));
                    if self.by_key.get(&key).is_some_and(List::is_empty) {
                        self.by_key.remove(&key);
                    }
                    moved
                }
                None if tier == Tier::Anyone => {
                    self.all.swap_remove(at as usize);
                    self.all.get(at as usize).copied()
                }
                None => None,
            };
            if let Some(cell) = moved.and_then(|moved| self.cells.get_mut(moved)) {
                cell.at[list] = at;
            }
        }
    }

    /// Every list names each peer and cell once, and each knows its places.
    #[cfg(test)]
    pub(super) fn assert_consistent<'s>(&self, standings: impl Iterator<Item = (PeerNumber, &'s Standing, &'s Place)>) {
        let mut count = 0;
        for (peer, standing, of) in standings {
            let cell = self.cells.get(standing.cell).unwrap();
            assert!(self.is_at(standing, of) && cell.of.key(Tier::SamePrefix) == of.key(Tier::SamePrefix));
            assert_eq!(cell.peers.as_slice()[standing.cell_at as usize], peer);
            assert_eq!(self.by_address[&standing.near].as_slice()[standing.near_at as usize], peer);
            count += 1;
        }
        let in_addresses: usize = self.by_address.values().map(|peers| peers.as_slice().len()).sum();
        let in_cells: usize = self.cells.iter().map(|(_, cell)| cell.peers.as_slice().len()).sum();
        assert_eq!([self.count, in_addresses, in_cells, self.peers().count()], [count; 4]);
        let mut named = self.all.len();
        for (number, cell) in self.cells.iter() {
            for (at, tier) in cell.at.into_iter().zip(CELL_TIERS) {
                match cell.of.key(tier) {
                    Some(key) => {
                        assert_eq!(self.by_key[&key].as_slice()[at as usize], number);
                        named += 1;
                    }
                    None => assert!(tier != Tier::Anyone || self.all[at as usize] == number),
                }
            }
        }
        assert_eq!(named, self.all.len() + self.by_key.values().map(|cells| cells.as_slice().len()).sum::<usize>());
        assert_eq!(self.all.len(), self.cells.iter().count());
        assert!(self.by_address.values().all(|list| !list.is_empty()) && self.by_key.values().all(|list| !list.is_empty()));
    }
}
