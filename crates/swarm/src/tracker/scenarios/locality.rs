//! Who meets whom by sites and geography, and who may not.

use std::{collections::BTreeSet, num::NonZeroU32};

use super::*;
use crate::locality::{Code, Ladder, Region, SharePolicy, SiteId, Tier};

fn region(site: &str, network: u32, country: &str, continent: &str) -> Region {
    Region {
        site: (!site.is_empty()).then(|| SiteId::of(site)),
        network: NonZeroU32::new(network),
        country: Code::new(country),
        continent: Code::new(continent),
    }
}

fn visitor(address: &str, region: Region) -> ClientAddr {
    ClientAddr { region, ..ClientAddr::at(address.parse().unwrap()) }
}

fn here() -> ClientAddr {
    visitor(HERE, region("berlin", 64_500, "DE", "EU"))
}

impl World {
    fn seeder_from(&mut self, addr: ClientAddr) -> PeerNumber {
        let peer = self.join_from(addr);
        self.seed(peer, version(1));
        peer
    }

    /// Whom a fresh visit would be given.
    fn found(&mut self, addr: ClientAddr, wanted: usize) -> Vec<PeerNumber> {
        let ticket = self.fresh_ticket();
        let found = World::peers(&self.seek_from(addr, ticket, wanted));
        // The offers are free again.
        self.wait(TrackerConfig::default().reserve_ms + 1);
        found
    }

    fn by_tier(&self) -> [u64; 7] {
        let stats = self.tracker.snapshot(self.now_ms);
        assert_eq!(Tier::ALL.map(|tier| stats.matches_by_tier.on(tier)).iter().sum::<u64>(), stats.matches.offered);
        Tier::ALL.map(|tier| stats.matches_by_tier.on(tier))
    }
}

/// One on each tier from [`here`], nearest first.
fn ladder_of_visitors() -> [ClientAddr; 7] {
    [
        visitor(HERE, Region::default()),
        visitor("198.51.100.1", region("berlin", 0, "", "")),
        visitor("203.0.113.200", Region::default()),
        visitor("192.0.2.1", region("", 64_500, "US", "NA")),
        visitor("192.0.3.1", region("", 64_501, "DE", "EU")),
        visitor("192.0.4.1", region("", 64_502, "FR", "EU")),
        visitor("192.0.5.1", region("", 64_503, "US", "NA")),
    ]
}

#[test]
fn the_nearest_of_each_tier_comes_first_and_is_counted() {
    let mut world = World::new();
    // The farthest come first, so that nothing hangs on the order of coming.
    let mut seeders: Vec<PeerNumber> = ladder_of_visitors().iter().rev().map(|addr| world.seeder_from(*addr)).collect();
    seeders.reverse();
    for nearest in 0..seeders.len() {
        assert_eq!(world.found(here(), 7), seeders[nearest..], "without the {nearest} nearest ones");
        world.tracker.handle_leave(world.now_ms, seeders[nearest]);
    }
    assert_eq!(world.by_tier(), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_tier_that_is_off_introduces_nobody_and_the_others_go_on() {
    for off in Tier::ALL {
        let ladder = Ladder::default().with(off, SharePolicy::Off);
        let mut world = World::with(TrackerConfig { ladder, random_share_permille: 0, ..TrackerConfig::default() });
        let mut seeders = ladder_of_visitors().map(|addr| world.seeder_from(addr)).to_vec();
        let apart = seeders.remove(off as usize);
        let found = world.found(here(), 7);
        assert_eq!(found, seeders, "{off}: {apart:?} is nearest there, and is on no farther tier instead");
    }
}

#[test]
fn on_a_leech_tier_only_native_peers_give_and_are_found_among_any_number() {
    let ladder = Ladder::default().with(Tier::SameCountry, SharePolicy::Leech).with(Tier::Anyone, SharePolicy::Off);
    let mut world = World::with(TrackerConfig { ladder, ..TrackerConfig::default() });
    let of_country = |last: u8| visitor(&format!("10.{last}.0.1"), region("", 0, "DE", "EU"));
    for last in 0..200 {
        world.seeder_from(of_country(last));
    }
    assert_eq!(world.found(here(), 4), [], "browsers do not give so far away");
    let mirror = world.seeder_from(ClientAddr { is_native: true, ..of_country(201) });
    assert_eq!(world.found(here(), 4), [mirror]);
    let near = world.seeder_from(visitor("203.0.113.9", region("", 0, "DE", "EU")));
    assert_eq!(world.found(here(), 4), [near, mirror], "nearer tiers are as ever");
}

#[test]
fn who_only_takes_is_given_peers_and_never_given_to_others() {
    let mut world = World::new();
    let leech = ClientAddr { share: SharePolicy::Leech, ..here() };
    let seeder = world.seeder_from(here());
    let taker = world.join_from(leech);
    world.register(taker, None);
    let welcome = world.told(taker);
    assert!(
        matches!(welcome[0], TrackerToPeer::Welcome { slots: 0, offers_wanted: 0, .. }),
        "it is asked for nothing, and need not make ready what nobody will get: {welcome:?}"
    );
    world.held(taker, version(1), APP_BYTES);
    world.leave_offers(taker, 2);
    assert_eq!(world.found(here(), 4), [seeder]);
    assert_eq!(world.found(leech, 4), [seeder]);
}

#[test]
fn a_visit_that_only_takes_never_gives_whatever_its_session_says() {
    let mut world = World::new();
    let seeder = world.seeder_from(here());
    let ticket = world.fresh_ticket();
    let given = world.seek_from(ClientAddr { share: SharePolicy::Leech, ..here() }, ticket, 4);
    assert_eq!(World::peers(&given), [seeder]);
    let session = world.join_from(here());
    world.register(session, Some(ticket));
    world.held(session, version(1), APP_BYTES);
    world.leave_offers(session, 2);
    world.wait(TrackerConfig::default().reserve_ms + 1);
    assert_eq!(world.found(here(), 4), [seeder]);
}

#[test]
fn the_neighbours_of_nobody_are_found_by_nobody_and_find_nobody() {
    let mut world = World::new();
    let apart = ClientAddr { share: SharePolicy::Off, ..here() };
    let hidden = world.seeder_from(apart);
    let seeder = world.seeder_from(here());
    assert_eq!(world.found(here(), 4), [seeder]);
    assert_eq!(world.found(apart, 4), [], "not even each other");
    world.say(hidden, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    assert!(world.told(hidden).iter().all(|message| !matches!(message, TrackerToPeer::Peers { offers } if !offers.is_empty())));
}

#[test]
fn a_site_has_all_of_its_own_seeders_whatever_their_prefixes() {
    let mut world = World::new();
    let office = |address: &str| visitor(address, region("berlin", 0, "", ""));
    let seeders: BTreeSet<_> = (1..=4).map(|last| world.seeder_from(office(&format!("198.51.100.{last}")))).collect();
    let found: BTreeSet<_> = world.found(office("203.0.113.7"), 4).into_iter().collect();
    assert_eq!(found, seeders, "all of one prefix, which a stranger would be given one of");
    assert_eq!(world.found(visitor("203.0.113.7", Region::default()), 4).len(), 1);
}
