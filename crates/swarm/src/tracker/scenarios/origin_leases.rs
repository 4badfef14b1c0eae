//! What a crowd is told to take from the origin.

use super::*;
use viral_wire::limits::LEASE_FIRST_PIECES;

use crate::limits::{FIRST_LEASE_MS, FIRST_VISITOR_MS, LEASE_MANIFESTS_MAX, LEASE_SEEDERS_ENOUGH, LEASE_WAIT_MS, LEASE_WINDOW_START};

impl World {
    fn lease(&mut self, peer: PeerNumber, done: u32) -> Option<Vec<u32>> {
        self.say(peer, PeerToTracker::Share { manifest: version(1), done });
        self.leased(peer)
    }

    /// The lease this peer was told of since last asked, if any.
    fn leased(&mut self, peer: PeerNumber) -> Option<Vec<u32>> {
        let told = self.told(peer);
        told.into_iter().find_map(|message| if let TrackerToPeer::Share { pieces, .. } = message { Some(pieces) } else { None })
    }

    fn newcomer(&mut self) -> PeerNumber {
        let peer = self.join(HERE);
        self.register(peer, None);
        self.told(peer);
        peer
    }
}

#[test]
fn a_crowd_is_given_each_piece_once_and_in_turn() {
    let mut world = World::new();
    let peers: Vec<_> = (0..10).map(|_| world.newcomer()).collect();
    let mut given: Vec<u32> = Vec::new();
    let mut turn: Vec<Option<Vec<u32>>> = peers.iter().map(|peer| world.lease(*peer, 0)).collect();
    for _ in 0..200 {
        for (peer, got) in peers.iter().zip(&mut turn) {
            let Some(pieces) = got.take().or_else(|| world.leased(*peer)) else { continue };
            given.extend(&pieces);
            world.wait(10);
            if !pieces.is_empty() {
                *got = world.lease(*peer, pieces.len() as u32);
            }
        }
    }
    given.sort_unstable();
    assert_eq!(given, (0..APP_PIECES).collect::<Vec<_>>());
}

#[test]
fn no_more_is_under_way_than_the_origin_sends_in_a_second() {
    let mut world = World::new();
    let peers: Vec<_> = (0..40).map(|_| world.newcomer()).collect();
    let under_way: usize = peers.iter().filter_map(|peer| world.lease(*peer, 0)).map(|pieces| pieces.len()).sum();
    assert_eq!(under_way, LEASE_WINDOW_START);
}

#[test]
fn what_a_leaver_had_not_fetched_goes_to_who_waits() {
    let mut world = World::new();
    let leaver = world.newcomer();
    let lost = world.lease(leaver, 0).unwrap();
    assert!(!lost.is_empty());
    let mut others = (0..LEASE_WINDOW_START).map(|_| world.newcomer()).collect::<Vec<_>>().into_iter();
    let waiting = others.find(|other| world.lease(*other, 0).is_none()).unwrap();
    world.tracker.handle_leave(world.now_ms, leaver);
    world.drain();
    let got = world.leased(waiting).unwrap();
    assert!(got.iter().any(|piece| lost.contains(piece)), "{got:?} of {lost:?}");
}

#[test]
fn what_a_page_that_nobody_looks_at_gives_back_goes_to_who_waits_and_it_may_ask_again() {
    let mut world = World::new();
    let away = world.newcomer();
    let lost = world.lease(away, 0).unwrap();
    let mut others = (0..LEASE_WINDOW_START).map(|_| world.newcomer()).collect::<Vec<_>>().into_iter();
    let waiting = others.find(|other| world.lease(*other, 0).is_none()).unwrap();
    world.say(away, PeerToTracker::Unshare {});
    let got = world.leased(waiting).unwrap();
    assert!(got.iter().any(|piece| lost.contains(piece)), "{got:?} of {lost:?}");
    assert_eq!(world.leased(away), None);
    world.say(waiting, PeerToTracker::Unshare {});
    assert!(world.lease(away, 0).is_some());
    let seeder = world.seeder(HERE);
    world.say(seeder, PeerToTracker::Unshare {});
}

#[test]
fn who_comes_first_has_its_pieces_until_it_is_connected_and_others_have_them_if_it_never_is() {
    let mut world = World::new();
    let (one, other) = (world.fresh_ticket(), world.fresh_ticket());
    let join = |world: &mut World, ticket: Ticket| {
        let addr = ClientAddr::at(HERE.parse().unwrap());
        let seeking = Seeking { addr, page: "/", manifest: version(1), wanted: 4, ticket };
        world.tracker.join_crowd(world.now_ms, &seeking, &Versions)
    };
    assert!(join(&mut world, one));
    assert!(!join(&mut world, other), "somebody is the first");
    assert!(world.tracker.is_crowded(&version(1)), "whoever comes now is one of a crowd");
    let peer = world.join(HERE);
    world.register(peer, Some(one));
    let mut got = world.lease(peer, LEASE_FIRST_PIECES).unwrap();
    assert!(got.iter().all(|piece| *piece >= LEASE_FIRST_PIECES), "{got:?}");
    let mut world = World::new();
    let gone = world.fresh_ticket();
    assert!(join(&mut world, gone));
    let late = world.newcomer();
    got = world.lease(late, 0).unwrap_or_default();
    world.wait(FIRST_LEASE_MS + 1);
    got.extend(world.leased(late).unwrap_or_default());
    for _ in 0..APP_PIECES {
        let done = got.len() as u32;
        got.extend(world.lease(late, done).unwrap_or_default());
    }
    assert!((0..LEASE_FIRST_PIECES).all(|piece| got.contains(&piece)));
}

#[test]
fn a_lease_nobody_hears_of_again_is_granted_once_more() {
    let mut world = World::new();
    let (silent, other) = (world.newcomer(), world.newcomer());
    let lost = world.lease(silent, 0).unwrap();
    let mut got = world.lease(other, 0).unwrap_or_default();
    world.wait(LEASE_WAIT_MS + 1);
    got.extend(world.leased(other).unwrap_or_default());
    for _ in 0..APP_PIECES {
        let done = got.len() as u32;
        got.extend(world.lease(other, done).unwrap_or_default());
    }
    assert!(lost.iter().all(|piece| got.contains(piece)));
}

#[test]
fn with_enough_seeders_nobody_is_sent_to_the_origin() {
    let mut world = World::new();
    let seeders: Vec<_> = (0..LEASE_SEEDERS_ENOUGH).map(|_| world.seeder(HERE)).collect();
    let mut unproven = seeders.clone();
    let early = world.newcomer();
    assert_ne!(world.lease(early, 0), Some(Vec::new()), "anybody can say that it holds everything");
    while !unproven.is_empty() {
        let (ticket, offer) = world.connected(HERE);
        unproven.retain(|seeder| *seeder != offer.peer);
        let (leecher, number, _) = the_answer(&world.told(offer.peer));
        world.say(offer.peer, PeerToTracker::Opened { peer: leecher, offer: number, ms: 9 });
        let sources = vec![signal::SourceBytes { peer: offer.peer, bytes: 1, rate: 0 }];
        let counts = signal::Counts { bytes_from_peers: 1, sources, ..signal::Counts::default() };
        let post = signal::VisitPost { ticket, counts, faults: Vec::new() };
        world.tracker.handle_visit(world.now_ms, &post).unwrap();
    }
    for seeder in seeders {
        world.leave_offers(seeder, 2);
    }
    let peer = world.newcomer();
    assert_eq!(world.lease(peer, 0), Some(Vec::new()));
    let stranger = world.join("198.51.100.1");
    world.register(stranger, None);
    assert_ne!(world.lease(stranger, 0), Some(Vec::new()), "neighbours who vouch for each other may all be one");
}

#[test]
fn a_crowd_is_one_until_the_last_of_it_has_everything_or_left() {
    let mut world = World::new();
    let (first, second) = (world.newcomer(), world.newcomer());
    assert!(!world.tracker.is_crowded(&version(1)));
    world.lease(first, 0);
    world.lease(second, 0);
    world.held(first, version(1), APP_BYTES);
    assert!(world.tracker.is_crowded(&version(1)));
    world.tracker.handle_leave(world.now_ms, second);
    assert!(!world.tracker.is_crowded(&version(1)));
}

#[test]
fn one_comes_first_and_is_told_so_once() {
    let mut world = World::new();
    let is_first = |world: &mut World| world.tracker.take_first_place(world.now_ms, version(1));
    assert!(is_first(&mut world));
    world.wait(FIRST_VISITOR_MS - 1);
    assert!(!is_first(&mut world), "the first one is about to ask for a share");
    world.wait(1);
    assert!(is_first(&mut world), "it never did");
    world.wait(FIRST_VISITOR_MS);
    let taker = world.newcomer();
    world.lease(taker, 0);
    assert!(!is_first(&mut world), "somebody fetches it");
    world.tracker.handle_leave(world.now_ms, taker);
    assert!(is_first(&mut world));
}

#[test]
fn no_more_first_visitors_are_remembered_than_there_may_be_crowds() {
    let mut tracker = Tracker::new(TrackerConfig::default(), 1);
    let firsts = (0..=LEASE_MANIFESTS_MAX).filter(|n| tracker.take_first_place(0, Digest::of(&n.to_be_bytes()))).count();
    assert_eq!(firsts, LEASE_MANIFESTS_MAX);
    assert!(tracker.take_first_place(FIRST_VISITOR_MS, Digest::of(b"later")));
}

#[test]
fn one_alone_may_take_all_the_faster_the_origin_sends() {
    let mut world = World::new();
    let peer = world.newcomer();
    let (mut rounds, mut count, mut pieces) = (0, 0, world.lease(peer, 0).unwrap());
    while !pieces.is_empty() {
        count += pieces.len();
        rounds += 1;
        world.wait(20);
        pieces = world.lease(peer, pieces.len() as u32).unwrap();
    }
    assert_eq!(count, APP_PIECES as usize);
    assert!(rounds <= 8, "{rounds} rounds");
}

#[test]
fn what_was_fetched_by_somebody_who_gives_nothing_is_sent_once_more() {
    let mut world = World::new();
    let miser = world.join(HERE);
    world.say(miser, PeerToTracker::Register { page: "/".to_owned(), manifest: Some(version(1)), ticket: None, slots: 0 });
    let mut pieces = world.lease(miser, 0).unwrap();
    while !pieces.is_empty() {
        pieces = world.lease(miser, pieces.len() as u32).unwrap();
    }
    let newcomer = world.newcomer();
    assert!(!world.lease(newcomer, 0).unwrap().is_empty());
}
