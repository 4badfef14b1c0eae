//! Who is introduced to whom.

use super::*;
use crate::locality::{Ladder, PeerScope};

#[test]
fn a_visitor_is_given_offers_of_distinct_peers_up_to_what_it_wants() {
    let mut world = World::new();
    let seeders: BTreeSet<_> = (0..6).map(|_| world.seeder(HERE)).collect();
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 4);
    let given: BTreeSet<_> = World::peers(&offers).into_iter().collect();
    assert_eq!(given.len(), 4);
    assert!(given.is_subset(&seeders));
}

#[test]
fn nobody_is_his_own_peer() {
    let mut world = World::new();
    let own = world.join_as(HERE, Some(7));
    world.seed(own, version(1));
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek_as(HERE, Some(7), ticket, 4), [], "a reload, or another page");
    let addr = ClientAddr { browser: Some(7), ..ClientAddr::at(HERE.parse().unwrap()) };
    let seeking = Seeking { addr, page: "/", manifest: version(1), wanted: 4, ticket: world.fresh_ticket() };
    assert_eq!(world.tracker.ready(0, &seeking, &Versions), 0);
    assert_eq!(world.tracker.ready(0, &Seeking { addr: ClientAddr { browser: Some(8), ..addr }, ..seeking.clone() }, &Versions), 1);
    let other = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek_as(HERE, Some(7), ticket, 4)), [other]);
}

#[test]
fn a_session_that_looks_for_peers_does_not_find_its_own_browser() {
    let mut world = World::new();
    let (one, two) = (world.join_as(HERE, Some(7)), world.join_as("198.51.100.1", Some(7)));
    world.seed(one, version(1));
    world.seed(two, version(1));
    let stranger = world.seeder("192.0.2.1");
    world.say(one, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    let peers = |message| if let TrackerToPeer::Peers { offers } = message { Some(World::peers(&offers)) } else { None };
    let found: Vec<_> = world.told(one).into_iter().filter_map(peers).collect();
    assert_eq!(found, [[stranger]]);
}

#[test]
fn whoever_has_no_cookie_is_nobody_in_particular() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek_as(HERE, None, ticket, 4)), [seeder]);
}

#[test]
fn the_nearest_tier_comes_first() {
    let mut world = World::new();
    let far = world.seeder("198.51.100.1");
    let street = world.seeder("203.0.113.200");
    let home = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 4);
    assert_eq!(World::peers(&offers), [home, street, far]);
}

#[test]
fn a_thin_answer_has_one_offer_of_each_foreign_network() {
    let mut world = World::new();
    let sybils: BTreeSet<_> = (1..=8).map(|last| world.seeder(&format!("198.51.100.{last}"))).collect();
    let honest: BTreeSet<_> = (1..=3).map(|number| world.seeder(&format!("192.0.{number}.1"))).collect();
    let ticket = world.fresh_ticket();
    let given: BTreeSet<_> = World::peers(&world.seek(HERE, ticket, 4)).into_iter().collect();
    assert!(honest.is_subset(&given) && given.intersection(&sybils).count() == 1, "{given:?}");
    let neighbour = world.fresh_ticket();
    assert_eq!(world.seek("198.51.100.99", neighbour, 4).len(), 4, "of its own network as many as there are");
    let session = world.join("192.0.9.1");
    world.register(session, None);
    world.say(session, PeerToTracker::Find { manifest: Some(version(1)), count: 8 });
    let found = |message| if let TrackerToPeer::Peers { offers } = message { Some(World::peers(&offers)) } else { None };
    let found: Vec<_> = world.told(session).into_iter().filter_map(found).flatten().collect();
    assert_eq!(found.len(), 8, "who can ask again gets more where there are no others");
    assert!(honest.iter().all(|peer| found[..4].contains(peer)), "others come first");
}

#[test]
fn whoever_gave_verified_bytes_to_a_stranger_comes_first() {
    let mut world = World::new();
    let first = world.seeder("198.51.100.1");
    let (ticket, offer) = world.connected("192.0.2.1");
    let (leecher, number, _) = the_answer(&world.told(first));
    world.say(first, PeerToTracker::Opened { peer: leecher, offer: number, ms: 9 });
    let sources = vec![signal::SourceBytes { peer: first, bytes: 1, rate: 0 }];
    let counts = signal::Counts { pieces_verified: 1, sources, ..signal::Counts::default() };
    world.tracker.handle_visit(world.now_ms, &signal::VisitPost { ticket, counts, faults: Vec::new() }).unwrap();
    let others: Vec<_> = (1..=6).map(|number| world.seeder(&format!("192.0.{}.1", number + 2))).collect();
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 4);
    assert_eq!(offer.peer, first);
    assert_eq!(offers[0].peer, first, "before {others:?}, with more free slots");
}

#[test]
fn reach_keeps_strangers_apart() {
    for (peer_scope, expected) in [(PeerScope::Near, 1), (PeerScope::Prefix, 2), (PeerScope::Any, 3)] {
        let mut world = World::with(TrackerConfig { ladder: Ladder::from(peer_scope), ..TrackerConfig::default() });
        for address in ["198.51.100.1", "203.0.113.200", HERE] {
            world.seeder(address);
        }
        let ticket = world.fresh_ticket();
        assert_eq!(world.seek(HERE, ticket, 4).len(), expected, "{peer_scope:?}");
    }
}

#[test]
fn among_equals_the_one_with_most_free_slots_is_picked() {
    let mut world = World::new();
    let (first, second) = (world.seeder(HERE), world.seeder(HERE));
    let (_, offer) = world.connected(HERE);
    let idle = if offer.peer == first { second } else { first };
    let (_, next) = world.connected(HERE);
    assert_eq!(next.peer, idle);
}

#[test]
fn a_random_share_of_picks_spreads_the_load() {
    let mut world = World::with(TrackerConfig { random_share_permille: 1000, ..TrackerConfig::default() });
    let seeders: Vec<_> = (0..8).map(|_| world.seeder(HERE)).collect();
    let mut given = BTreeSet::new();
    for _ in 0..8 {
        let ticket = world.fresh_ticket();
        given.extend(World::peers(&world.seek(HERE, ticket, 1)));
    }
    assert!(given.len() >= 3, "{given:?} of {seeders:?}");
}

#[test]
fn a_peer_without_offer_slot_or_pieces_is_not_ready() {
    let mut world = World::new();
    let without_offer = world.join(HERE);
    world.register(without_offer, None);
    world.held(without_offer, version(1), APP_BYTES);
    let without_pieces = world.join(HERE);
    world.register(without_pieces, None);
    world.leave_offers(without_pieces, 1);
    let without_slot = world.join(HERE);
    let page = "/".to_owned();
    let message = PeerToTracker::Register { page, manifest: Some(version(1)), ticket: None, slots: 0 };
    world.say(without_slot, message);
    world.held(without_slot, version(1), APP_BYTES);
    world.leave_offers(without_slot, 1);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 4), []);
    assert_eq!(world.tracker.snapshot(world.now_ms).ready, 0);
}

#[test]
fn a_peer_counts_from_half_of_the_wanted_manifest_on() {
    for (manifest, bytes, ready) in [
        (version(1), 499, 0),
        (version(1), 500, 1),
        (version(2), APP_BYTES, 1),
        (version(2), 800, 0),
        (version(9), APP_BYTES, 0),
        (version(77), u64::MAX, 0),
    ] {
        let mut world = World::new();
        let peer = world.join(HERE);
        world.register(peer, None);
        world.held(peer, manifest, bytes);
        world.leave_offers(peer, 1);
        let ticket = world.fresh_ticket();
        assert_eq!(world.seek(HERE, ticket, 4).len(), ready, "{bytes} of {manifest}");
    }
}

#[test]
fn holders_of_the_whole_push_stripes_and_others_push_nothing() {
    let mut world = World::new();
    let old = world.seeder_of(HERE, version(2));
    let half = world.join(HERE);
    world.register(half, None);
    world.held(half, version(1), 949);
    world.leave_offers(half, 1);
    let whole: BTreeSet<_> = [world.seeder(HERE), world.seeder(HERE)].into();
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 4);
    let mut stripes = BTreeSet::new();
    for offer in &offers {
        let Some(push) = offer.push else {
            assert!(offer.peer == old || offer.peer == half);
            continue;
        };
        assert!(whole.contains(&offer.peer));
        assert_eq!((push.manifest, push.stripes, push.budget), (version(1), 2, 1024 * 1024));
        stripes.insert(push.stripe);
    }
    assert_eq!(stripes, [0, 1].into());
    assert!(whole.contains(&offers[0].peer) && whole.contains(&offers[1].peer), "whole copies first");
}

#[test]
fn the_seeder_is_told_the_plan_that_the_leecher_was_told() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    let (_, number, push) = the_answer(&world.told(seeder));
    assert_eq!(number, offer.offer);
    assert_eq!(push, offer.push);
    assert!(push.is_some());
}

#[test]
fn a_session_that_asks_for_more_gets_others_than_it_has() {
    let mut world = World::new();
    let seeders = [world.seeder(HERE), world.seeder(HERE)];
    let (ticket, offer) = world.connected(HERE);
    let other = if offer.peer == seeders[0] { seeders[1] } else { seeders[0] };
    let peer = world.join(HERE);
    world.register(peer, Some(ticket));
    world.held(peer, version(1), 600);
    world.leave_offers(peer, 2);
    world.told(peer);
    world.say(peer, PeerToTracker::Find { manifest: None, count: 4 });
    assert_eq!(world.told(peer), [TrackerToPeer::Peers { offers: Vec::new() }], "the page's manifest is not known");
    world.tracker.handle_manifest(world.now_ms, "/", version(1));
    world.drain();
    world.told(peer);
    world.say(peer, PeerToTracker::Find { manifest: None, count: 4 });
    let told = world.told(peer);
    let [TrackerToPeer::Peers { offers }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(World::peers(offers), [other], "neither itself nor whom it knows");
    assert_eq!(offers[0].push, None);
    world.say(peer, PeerToTracker::Answers { answers: answers(offers), tell: None });
    assert_eq!(the_answer(&world.told(other)).0, peer);
    assert_eq!(world.told(peer), [], "it did not ask when they left");
}

#[test]
fn whoever_asks_is_told_when_its_answers_left_whatever_became_of_them() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let peer = world.join(HERE);
    world.register(peer, None);
    world.told(peer);
    world.say(peer, PeerToTracker::Find { manifest: Some(version(1)), count: 1 });
    let told = world.told(peer);
    let [TrackerToPeer::Peers { offers }] = told.as_slice() else { panic!("{told:?}") };
    world.say(peer, PeerToTracker::Answers { answers: answers(offers), tell: Some(7) });
    assert_eq!(the_answer(&world.told(seeder)).0, peer);
    assert_eq!(world.told(peer), [TrackerToPeer::Relayed { tell: 7 }]);
    // Those are gone.
    world.say(peer, PeerToTracker::Answers { answers: answers(offers), tell: Some(7) });
    let told = world.told(peer);
    assert!(matches!(told.as_slice(), [TrackerToPeer::Relayed { tell: 7 }, TrackerToPeer::Error { .. }]), "{told:?}");
}

#[test]
fn a_session_is_not_given_those_whom_it_serves() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let upload = world.join(HERE);
    world.register(upload, Some(ticket));
    world.held(upload, version(1), 600);
    world.leave_offers(upload, 1);
    world.told(seeder);
    world.say(seeder, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    assert!(world.told(seeder).contains(&TrackerToPeer::Peers { offers: Vec::new() }));
}

/// Eighty sessions of two networks for which strangers vouched, and three homes that never served anybody.
fn crowd_of_two_networks(bytes: u64) -> (World, BTreeSet<PeerNumber>, BTreeSet<PeerNumber>) {
    let mut world = World::new();
    let mut many = BTreeSet::new();
    for number in 0..80 {
        let peer = world.seeder(&format!("198.51.{}.{number}", 100 + number % 2));
        world.held(peer, version(1), bytes);
        let session = world.tracker.members.sessions.get_mut(&peer).unwrap();
        session.standing.vouch("203.0.99.0".parse().unwrap());
        world.tracker.refresh(peer);
        many.insert(peer);
    }
    let homes = (1..=3).map(|number| world.seeder(&format!("192.0.{number}.1"))).collect();
    (world, many, homes)
}

#[test]
fn many_proven_sessions_of_few_networks_hide_nobody() {
    let (mut world, many, homes) = crowd_of_two_networks(APP_BYTES);
    let ticket = world.fresh_ticket();
    let given: BTreeSet<_> = World::peers(&world.seek(HERE, ticket, 4)).into_iter().collect();
    assert_eq!((given.intersection(&many).count(), given.intersection(&homes).count()), (2, 2), "one of each network");
    let session = world.join("192.0.9.1");
    world.register(session, None);
    world.say(session, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    let found = |message| if let TrackerToPeer::Peers { offers } = message { Some(World::peers(&offers)) } else { None };
    let found: BTreeSet<_> = world.told(session).into_iter().filter_map(found).flatten().collect();
    assert_eq!((found.intersection(&many).count(), found.intersection(&homes).count()), (2, 2), "who can ask again, too");
}

#[test]
fn proven_sessions_that_hold_too_little_hide_nobody() {
    let (mut world, _, homes) = crowd_of_two_networks(APP_BYTES * 2 / 5);
    let ticket = world.fresh_ticket();
    let given: BTreeSet<_> = World::peers(&world.seek(HERE, ticket, 4)).into_iter().collect();
    assert_eq!(given, homes);
}
