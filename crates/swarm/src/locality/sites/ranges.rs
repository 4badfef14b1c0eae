//! Ranges of addresses in which an address is found by halving: of ranges that lie in each other the smallest.

use std::net::IpAddr;

use ipnet::IpNet;

use super::entry::Entry;
use crate::locality::{ladder::SharePolicy, place::SiteId};

/// Who an address belongs to.
type Owner = Option<(SiteId, SharePolicy)>;

/// For each family where another owner begins, in order of addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranges {
    v4: Vec<(u128, Owner)>,
    v6: Vec<(u128, Owner)>,
}

impl Ranges {
    /// Of ranges that are distinct.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let of_family = |is_v4: bool| begins(entries.iter().filter(|entry| matches!(entry.range, IpNet::V4(_)) == is_v4));
        Self { v4: of_family(true), v6: of_family(false) }
    }

    pub(super) fn find(&self, address: IpAddr) -> Owner {
        let address = address.to_canonical();
        let begins = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let after = begins.partition_point(|(begin, _)| *begin <= bits(address));
        begins.get(after.checked_sub(1)?)?.1
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Ranges either lie in each other or have nothing in common, so those around an address are a stack.
fn begins<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<(u128, Owner)> {
    let range = |entry: &Entry| (bits(entry.range.network()), bits(entry.range.broadcast()));
    let mut ranges: Vec<(u128, u128, Owner)> = entries
        .map(|entry| {
            let (first, last) = range(entry);
            (first, last, Some((SiteId::of(&entry.name), entry.policy)))
        })
        .collect();
    // The larger one first, so that what lies in it comes on top of it.
    ranges.sort_unstable_by_key(|(first, last, _)| (*first, std::cmp::Reverse(*last)));
    let (mut begins, mut around) = (Vec::new(), Vec::<(u128, Owner)>::new());
    for (first, last, owner) in ranges {
        end_before(first, &mut around, &mut begins);
        put(&mut begins, first, owner);
        around.push((last, owner));
    }
    while let Some((last, _)) = around.pop() {
        let outer = around.last().and_then(|(_, owner)| *owner);
        if let Some(next) = last.checked_add(1) {
            put(&mut begins, next, outer);
        }
    }
    begins
}

/// Ends the ranges that are over before an address.
fn end_before(first: u128, around: &mut Vec<(u128, Owner)>, begins: &mut Vec<(u128, Owner)>) {
    while let Some((last, _)) = around.pop_if(|(last, _)| *last < first) {
        let outer = around.last().and_then(|(_, owner)| *owner);
        put(begins, last.saturating_add(1), outer);
    }
}

/// What begins at one address later is what counts from there on.
fn put(begins: &mut Vec<(u128, Owner)>, at: u128, owner: Owner) {
    begins.pop_if(|(begin, _)| *begin == at);
    begins.push((at, owner));
}
