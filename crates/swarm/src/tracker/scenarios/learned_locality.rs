//! What visitors say of their connections, and whom others of their network are given then.

use std::num::NonZeroU32;

use viral_wire::signal::{ConnectFailure, Counts, SourceBytes};

use super::*;
use crate::locality::{Ladder, Region, SharePolicy, Tier};

/// Seeders of four networks that have all proven themselves to strangers.
fn proven_seeders(world: &mut World) -> Vec<PeerNumber> {
    let seeders: Vec<_> = (1..=4).map(|network| world.seeder(&format!("198.51.{network}.1"))).collect();
    for seeder in &seeders {
        took(world, "192.0.2.1", *seeder, 0);
    }
    seeders
}

/// A visitor at an address takes from a seeder, and says at which rate.
fn took(world: &mut World, address: &str, seeder: PeerNumber, rate: u32) {
    let ticket = world.fresh_ticket();
    let offers = world.seek(address, ticket, 4);
    let offer = offers.iter().find(|offer| offer.peer == seeder).expect("all four are given").clone();
    world.answer(ticket, std::slice::from_ref(&offer)).unwrap();
    let (other, number, _) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: other, offer: number, ms: 60 });
    let counts = Counts { pieces_verified: 1, sources: vec![SourceBytes { peer: seeder, bytes: 9, rate }], ..Counts::default() };
    world.tracker.handle_visit(world.now_ms, &signal::VisitPost { ticket, counts, faults: vec![] }).unwrap();
    world.say(seeder, PeerToTracker::Closed { peer: other, offer: number, cause: None });
    world.leave_offers(seeder, 1);
    world.told(seeder);
    // What was reserved lapses.
    world.wait(11_000);
}

#[test]
fn visitors_of_a_network_are_given_first_whom_it_got_most_of() {
    let mut world = World::new();
    let seeders = proven_seeders(&mut world);
    for (seeder, rate) in seeders.iter().zip([50_000, 60_000, 9_000_000, 55_000]) {
        took(&mut world, "192.0.9.1", *seeder, rate);
    }
    for _ in 0..8 {
        let ticket = world.fresh_ticket();
        let first = World::peers(&world.seek("192.0.9.77", ticket, 1));
        assert_eq!(first, [seeders[2]]);
        world.wait(11_000);
    }
    let mut strangers = BTreeSet::new();
    for _ in 0..20 {
        let ticket = world.fresh_ticket();
        strangers.extend(World::peers(&world.seek("192.0.10.77", ticket, 1)));
        world.wait(11_000);
    }
    assert!(strangers.len() > 1, "others do not go by it");
}

#[test]
fn whoever_gave_most_is_found_among_any_number_of_others() {
    let mut world = World::new();
    let seeders = proven_seeders(&mut world);
    for (seeder, rate) in seeders.iter().zip([50_000, 60_000, 9_000_000, 55_000]) {
        took(&mut world, "192.0.9.1", *seeder, rate);
    }
    for number in 0..500 {
        world.seeder(&format!("203.{}.{}.1", number / 250, number % 250));
    }
    let ticket = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek("192.0.9.77", ticket, 1)), [seeders[2]]);
}

#[test]
fn what_is_said_orders_and_admits_nobody() {
    // Browsers only take from others: what somebody gave before does not let it give.
    let mut world = World::new();
    let seeders = proven_seeders(&mut world);
    took(&mut world, "192.0.9.1", seeders[0], 50_000);
    took(&mut world, "192.0.9.1", seeders[1], 9_000_000);
    world.tracker.config.ladder = Ladder::default().with(Tier::Anyone, SharePolicy::Leech);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek("192.0.9.77", ticket, 4), []);
}

/// Visitors of one network come every some seconds and give those of another up after so long; returns when they were introduced.
fn tries(world: &mut World, hours: u64, waited_ms: u64) -> Vec<u64> {
    let seeder = world.seeder("198.51.1.1");
    let (begun_ms, mut tries) = (world.now_ms, Vec::new());
    while world.now_ms - begun_ms < hours * 3_600_000 {
        let (ticket, mut said) = (world.fresh_ticket(), Vec::new());
        let offers = world.seek(&format!("192.0.9.{}", 1 + tries.len() % 200), ticket, 1);
        if let [offer] = &offers[..] {
            tries.push((world.now_ms - begun_ms) / 1_000);
            world.answer(ticket, &offers).unwrap();
            said = world.told(seeder);
            let (peer, _, _) = the_answer(&said);
            world.wait(waited_ms);
            world.say(seeder, PeerToTracker::Closed { peer, offer: offer.offer, cause: Some(ConnectFailure::NoPath) });
        }
        world.wait(5_000);
        for message in said.into_iter().chain(world.told(seeder)) {
            if let TrackerToPeer::OffersWanted { count } = message {
                world.leave_offers(seeder, count.into());
            }
        }
    }
    tries
}

#[test]
fn two_networks_that_never_connect_are_tried_rarely_and_never_given_up() {
    let mut world = World::new();
    let tries = tries(&mut world, 6, 5_000);
    assert!((8..=16).contains(&tries.len()), "{tries:?}");
    assert!(tries.last().is_some_and(|last| *last > 4 * 3_600), "{tries:?}");
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek("192.0.10.1", ticket, 1).len(), 1, "to others the seeder is as good as ever");
}

#[test]
fn who_had_all_before_a_connection_opened_says_nothing_of_networks() {
    assert!(tries(&mut World::new(), 1, 1_000).len() > 400);
}

#[test]
fn visitors_who_leave_without_a_word_are_no_failure_of_networks() {
    let mut world = World::new();
    let seeder = world.seeder("198.51.1.1");
    for _ in 0..4 {
        let (_, offer) = world.connected("192.0.9.1");
        let (peer, _, _) = the_answer(&world.told(seeder));
        world.say(seeder, PeerToTracker::Closed { peer, offer: offer.offer, cause: None });
        world.leave_offers(seeder, 1);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek("192.0.9.2", ticket, 1).len(), 1);
}

/// Sessions of two systems that hold nothing yet look for peers; returns whether everybody is connected with everybody, over others.
fn are_joined(random_share_permille: u16) -> bool {
    let mut world = World::with(TrackerConfig { random_share_permille, ..TrackerConfig::default() });
    let mut peers = Vec::new();
    for number in 0..40_u32 {
        let region = Region { network: NonZeroU32::new(64_500 + number % 2), ..Region::default() };
        let peer = world.join_from(ClientAddr { region, ..ClientAddr::at(format!("198.51.{number}.1").parse().unwrap()) });
        world.register(peer, None);
        world.held(peer, version(1), 0);
        world.leave_offers(peer, 4);
        peers.push(peer);
    }
    let mut group: BTreeMap<PeerNumber, usize> = peers.iter().copied().zip(0..).collect();
    for peer in &peers {
        world.told(*peer);
        world.say(*peer, PeerToTracker::Find { manifest: Some(version(1)), count: 3 });
        for message in world.told(*peer) {
            let TrackerToPeer::Peers { offers } = message else { continue };
            for offer in offers {
                let (from, to) = (group[&offer.peer], group[peer]);
                group.values_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    group.values().collect::<BTreeSet<_>>().len() == 1
}

#[test]
fn two_islands_that_have_enough_of_their_own_join_by_random_picks() {
    assert!(are_joined(TrackerConfig::default().random_share_permille));
    assert!(!are_joined(0), "and by these alone");
}
