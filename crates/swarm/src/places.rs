//! Places of which there are few, counted by network: where all are taken, whoever has most gives way, and of its own the one that was idle for longest.
//!
//! No network has a fixed share, so an office of hundreds behind one address takes what is free; only while others find nothing free does the one with most have less.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::locality;

/// Who has a place.
#[derive(Debug)]
pub struct Places<K> {
    members: BTreeMap<K, Member>,
    /// The members of each network, the one that is to go first at the front.
    networks: BTreeMap<IpAddr, BTreeSet<(Use, u64, K)>>,
    by_len: BTreeSet<(usize, IpAddr)>,
    serial: u64,
}

/// How a place is used; the first gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Nothing is asked or answered.
    Idle,
    /// It waits for what may be said, as a session does.
    Waiting,
    /// An answer is on its way.
    Busy,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    network: IpAddr,
    used: Use,
    serial: u64,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), networks: BTreeMap::new(), by_len: BTreeSet::new(), serial: 0 }
    }
}

impl<K: Ord + Copy> Places<K> {
    /// Places taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether none is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Gives a place to somebody who comes from `address`. Whoever calls sees that there is one.
    pub fn insert(&mut self, key: K, address: IpAddr, used: Use) {
        let network = locality::network_key(address);
        self.serial += 1;
        let serial = self.serial;
        if let Some(before) = self.members.insert(key, Member { network, used, serial }) {
            self.leave(&key, before);
        }
        let members = self.networks.entry(network).or_default();
        if !members.is_empty() {
            self.by_len.remove(&(members.len(), network));
        }
        members.insert((used, serial, key));
        self.by_len.insert((members.len(), network));
    }

    /// It is used so from now on.
    pub fn touch(&mut self, key: &K, used: Use) {
        let Some(member) = self.members.get_mut(key) else { return };
        let Some(members) = self.networks.get_mut(&member.network) else { return };
        // Twice for each answer: what does not change is left as it is.
        self.serial += 1;
        members.remove(&(member.used, member.serial, *key));
        (member.used, member.serial) = (used, self.serial);
        members.insert((used, self.serial, *key));
    }

    /// The place is free again.
    pub fn remove(&mut self, key: &K) {
        if let Some(member) = self.members.remove(key) {
            self.leave(key, member);
        }
    }

    /// Who gives way to a newcomer from `address`, if anybody: of the network that has most, if that is more than the newcomer's has, whoever is used least and was idle for
    /// longest. An answer on its way is ended only where one network has more than half of all places.
    #[must_use]
    pub fn in_the_way(&self, address: IpAddr) -> Option<K> {
        let own = self.networks.get(&locality::network_key(address)).map_or(0, BTreeSet::len);
        let larger = self.by_len.iter().rev().take_while(|(len, _)| *len > own + 1);
        let first = |(len, network): &(usize, IpAddr)| {
            let (used, _, key) = self.networks.get(network)?.first()?;
            (*used != Use::Busy || 2 * len > self.members.len()).then_some(*key)
        };
        larger.filter_map(first).next()
    }

    /// Who gives way among the newcomer's own, where nobody else does: one that is idle.
    #[must_use]
    pub fn in_own_way(&self, address: IpAddr) -> Option<K> {
        let (used, _, key) = self.networks.get(&locality::network_key(address))?.first()?;
        (*used == Use::Idle).then_some(*key)
    }

    /// Strikes a former member off the lists of its network.
    fn leave(&mut self, key: &K, member: Member) {
        let Some(members) = self.networks.get_mut(&member.network) else { return };
        self.by_len.remove(&(members.len(), member.network));
        members.remove(&(member.used, member.serial, *key));
        if members.is_empty() {
            self.networks.remove(&member.network);
        } else {
            self.by_len.insert((members.len(), member.network));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: [u8; 4] = [198, 51, 100, 7];

    /// Ten of one network, numbered from 0 on.
    fn crowded(used: Use) -> Places<u32> {
        let mut places = Places::default();
        (0..10).for_each(|key| places.insert(key, CROWD.into(), used));
        places
    }

    #[test]
    fn the_network_with_most_gives_way_and_the_longest_idle_of_it_first() {
        let mut places = crowded(Use::Waiting);
        places.insert(10, [203, 0, 113, 1].into(), Use::Idle);
        places.touch(&0, Use::Waiting);
        assert_eq!(places.in_the_way([192, 0, 2, 1].into()), Some(1));
        places.touch(&7, Use::Idle);
        assert_eq!(places.in_the_way([192, 0, 2, 1].into()), Some(7), "idle before waiting");
    }

    #[test]
    fn nobody_gives_way_to_the_network_that_has_most_but_its_own_idle_ones() {
        let mut places = crowded(Use::Waiting);
        assert_eq!(places.in_the_way([198, 51, 100, 99].into()), None);
        assert_eq!(places.in_own_way(CROWD.into()), None);
        places.touch(&3, Use::Idle);
        assert_eq!(places.in_own_way(CROWD.into()), Some(3));
    }

    #[test]
    fn newcomers_get_as_many_places_as_those_who_have_most_keep() {
        let mut places = crowded(Use::Idle);
        let mut newcomer = 100;
        while let Some(key) = places.in_the_way([203, 0, 113, 1].into()) {
            places.remove(&key);
            places.insert(newcomer, [203, 0, 113, 1].into(), Use::Idle);
            newcomer += 1;
        }
        assert_eq!((newcomer, places.len()), (105, 10));
    }

    #[test]
    fn an_answer_on_its_way_is_ended_only_where_one_network_has_more_than_half() {
        let mut places = crowded(Use::Busy);
        assert_eq!(places.in_the_way([192, 0, 2, 1].into()), Some(0));
        for key in 10..20 {
            places.insert(key, [203, 0, u8::try_from(key).unwrap(), 1].into(), Use::Busy);
        }
        assert_eq!(places.in_the_way([192, 0, 2, 1].into()), None);
        places.insert(20, [203, 0, 10, 2].into(), Use::Idle);
        assert_eq!(places.in_the_way([192, 0, 2, 1].into()), Some(20));
    }

    #[test]
    fn what_left_is_forgotten() {
        let mut places = crowded(Use::Idle);
        (0..10).for_each(|key| places.remove(&key));
        places.remove(&3);
        assert!(places.is_empty() && places.networks.is_empty() && places.by_len.is_empty());
    }
}
