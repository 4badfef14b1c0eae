//! Who is behind which NAT: who is introduced to whom, how long offers last, and why connections fail.

use viral_wire::signal::{ConnectFailure, NatKind};

use super::*;
use crate::limits::FADING_OFFER_AGE_MS;
use crate::reached::{Network, ReachCounts};
use crate::stun::StunPorts;

const ELSEWHERE: &str = "198.51.100.9";

fn is_behind(world: &mut World, peer: PeerNumber, nat: NatKind) {
    world.say(peer, PeerToTracker::Nat { nat: Some(nat), fades: false });
}

/// Those whom a session finds.
fn found(world: &mut World, seeker: PeerNumber) -> Vec<PeerNumber> {
    world.told(seeker);
    world.say(seeker, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    let offers =
        world.told(seeker).into_iter().find_map(|message| if let TrackerToPeer::Peers { offers } = message { Some(offers) } else { None });
    World::peers(&offers.unwrap())
}

fn seeker(world: &mut World, address: &str) -> PeerNumber {
    let peer = world.join(address);
    world.register(peer, None);
    peer
}

#[test]
fn two_that_cannot_connect_are_not_introduced_unless_they_are_neighbours() {
    let mut world = World::new();
    let symmetric = world.seeder(HERE);
    is_behind(&mut world, symmetric, NatKind::Symmetric);
    let (far, near) = (seeker(&mut world, ELSEWHERE), seeker(&mut world, HERE));
    for (nat, expected) in [(NatKind::Symmetric, 0), (NatKind::PortRestricted, 0), (NatKind::FullCone, 1)] {
        is_behind(&mut world, far, nat);
        assert_eq!(found(&mut world, far).len(), expected, "{nat:?}");
    }
    is_behind(&mut world, near, NatKind::Symmetric);
    assert_eq!(found(&mut world, near), [symmetric], "behind the same address");
}

#[test]
fn of_whom_nothing_is_known_is_given_whom_most_can_reach_and_only_then_others() {
    let mut world = World::new();
    let symmetric = world.seeder(HERE);
    is_behind(&mut world, symmetric, NatKind::Symmetric);
    let cone = world.seeder("192.0.2.77");
    is_behind(&mut world, cone, NatKind::PortRestricted);
    let ticket = world.fresh_ticket();
    let offers = world.seek(ELSEWHERE, ticket, 2);
    assert_eq!(World::peers(&offers), [cone, symmetric]);
    assert!(offers.iter().all(|offer| offer.far));
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    assert_eq!((World::peers(&offers), offers[0].far), (vec![symmetric], false), "a neighbour needs no NAT's grace");
}

#[test]
fn whoever_was_told_how_to_ask_and_learned_no_address_is_given_last_to_other_networks() {
    let mut world = World::new();
    world.tracker.set_stun(StunPorts { ports: vec![3478, 3479], is_open: true });
    // Its offers name nothing but what its own link knows.
    let _blocked = [world.seeder("192.0.2.77"), world.seeder("192.0.2.77")];
    let open = world.seeder(HERE);
    leave_reflexive(&mut world, open, 9);
    let ticket = world.fresh_ticket();
    let found = World::peers(&world.seek(ELSEWHERE, ticket, 3));
    assert_eq!((found.len(), found[0]), (2, open), "one of a network: {found:?}");
    let ticket = world.fresh_ticket();
    let offers = world.seek("192.0.2.77", ticket, 2);
    assert!(offers.len() == 2 && offers.iter().all(|offer| !offer.far), "neighbours know more");
}

/// Leaves an offer with an address that the server told.
fn leave_reflexive(world: &mut World, peer: PeerNumber, offer: u32) {
    let fingerprint = Digest::of(b"certificate");
    let text = format!(r#"["ufrag","passwordpasswordpassword","{fingerprint}","actpass",262144,["u|{HERE}|50000|zzzzz|s"],[]]"#);
    let offers = vec![signal::ReadyOffer { offer, description: Description::parse(&text).unwrap() }];
    world.say(peer, PeerToTracker::Offers { offers });
}

fn wanted(world: &mut World, peer: PeerNumber) -> u32 {
    let count = |message: TrackerToPeer| if let TrackerToPeer::OffersWanted { count } = message { u32::from(count) } else { 0 };
    world.told(peer).into_iter().map(count).sum()
}

#[test]
fn offers_that_fade_are_replaced_one_after_the_other_before_a_nat_forgets_them() {
    let mut world = World::new();
    let peer = seeker(&mut world, HERE);
    world.say(peer, PeerToTracker::Nat { nat: None, fades: true });
    world.held(peer, version(1), APP_BYTES);
    leave_reflexive(&mut world, peer, 1);
    leave_reflexive(&mut world, peer, 2);
    world.told(peer);
    let mut number = 3;
    for second in 0..300 {
        world.wait(1_000);
        let addr = ClientAddr::at(ELSEWHERE.parse().unwrap());
        let seeking = Seeking { addr, page: "/", manifest: version(1), wanted: 1, ticket: ticket(99) };
        assert_eq!(world.tracker.ready(world.now_ms, &seeking, &Versions), 1, "there always is one, {second} s");
        for _ in 0..wanted(&mut world, peer) {
            leave_reflexive(&mut world, peer, number);
            number += 1;
        }
    }
    assert!((24..45).contains(&number), "{number}: each lasts 14 or 22 s");
    let mut world = World::new();
    let peer = world.seeder(HERE);
    world.say(peer, PeerToTracker::Nat { nat: None, fades: true });
    world.wait(FADING_OFFER_AGE_MS * 4);
    assert_eq!(wanted(&mut world, peer), 0, "offers without such an address last");
}

#[test]
fn connections_that_never_opened_are_counted_by_what_one_end_says() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    for cause in [Some(ConnectFailure::NoPath), Some(ConnectFailure::NoChannel), Some(ConnectFailure::NoPath), None] {
        let (_, offer) = world.connected(HERE);
        let (leecher, ..) = the_answer(&world.told(seeder));
        world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: offer.offer, cause });
        world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: offer.offer, cause });
        world.leave_offers(seeder, 1);
    }
    world.connected(HERE);
    world.wait(world.tracker.config().open_wait_ms);
    let stats = world.tracker.snapshot(world.now_ms);
    assert_eq!(stats.matches.failed, 5);
    assert_eq!(stats.connect_failures, [("no_path", 2), ("no_channel", 1), ("unsaid", 1), ("silent", 1)].into());
}

#[test]
fn who_reached_nobody_is_counted_by_network_until_it_reaches_somebody() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (_, offer) = world.connected(ELSEWHERE);
    let (leecher, ..) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: offer.offer, cause: Some(ConnectFailure::NoPath) });
    let now_ms = world.now_ms;
    let counts = ReachCounts { visitors: 1, unreached: [0, 1, 0] };
    assert_eq!(world.tracker.reached().all(now_ms), counts);
    assert_eq!(world.tracker.reached().worst(now_ms, 9), [(Network::of(ELSEWHERE.parse().unwrap()), counts)]);

    world.leave_offers(seeder, 1);
    let (_, offer) = world.connected(HERE);
    let (leecher, ..) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: offer.offer, ms: 100 });
    assert_eq!(world.tracker.reached().all(now_ms), ReachCounts { visitors: 2, unreached: [0, 1, 0] });
    assert_eq!(world.tracker.reached().worst(now_ms, 9).len(), 1);
}

#[test]
fn who_is_told_where_to_ask_is_whoever_learns_by_it() {
    let mut world = World::new();
    world.tracker.set_stun(StunPorts { ports: vec![3478, 3479], is_open: true });
    let told = |world: &mut World, address: &str| {
        let peer = seeker(world, address);
        world
            .told(peer)
            .into_iter()
            .find_map(|message| if let TrackerToPeer::Welcome { stun, .. } = message { Some(stun) } else { None })
            .unwrap()
    };
    assert_eq!(told(&mut world, ELSEWHERE), [3478, 3479]);
    assert!(told(&mut world, "127.0.0.1").is_empty());
}
