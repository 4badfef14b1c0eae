//! Each limit at its maximum and one beyond: the newest is refused, everybody else undisturbed.

use viral_wire::{
    limits::{LOADED_ASSETS_MAX, PATH_LEN_MAX},
    signal::{Counts, DropReason, ErrorCode, Fault, FaultReport, SignalError, VisitPost},
};

use super::*;
use crate::limits::{
    BEACONS_PER_TICKET_MAX, MATCHES_PER_LEECHER_MAX, MISTAKES_MAX, OUTPUTS_MAX, OUTSTANDING_MATCHES_MAX, REPORTED_BYTES_MAX,
    REPORTS_PER_REPORTER_MAX,
};
use crate::tracker::leecher::{Leecher, Noted};

#[test]
fn the_session_beyond_the_maximum_is_refused() {
    let mut world = World::with(TrackerConfig { sessions_max: 2, ..TrackerConfig::default() });
    let (first, second) = (world.seeder(HERE), world.seeder(HERE));
    let third = world.join(HERE);
    assert_eq!(world.told(third), [TrackerToPeer::Dropped { reason: DropReason::Overload }]);
    assert_eq!(world.closed, BTreeMap::from([(third, CloseReason::Dropped(DropReason::Overload))]));
    world.register(third, None);
    assert_eq!(world.told(third), [], "it is not there");
    let stats = world.tracker.snapshot(world.now_ms);
    assert_eq!((stats.sessions, stats.ready, stats.refused.sessions), (2, 2, 1));
    world.tracker.handle_leave(world.now_ms, first);
    world.seeder(HERE);
    assert_eq!(world.told(second), []);
}

#[test]
fn one_network_cannot_take_all_sessions_or_tickets_from_others() {
    let mut world = World::with(TrackerConfig { sessions_max: 4, tickets_max: 4, ..TrackerConfig::default() });
    let crowd: Vec<_> = (0..4).map(|_| world.seeder(HERE)).collect();
    let stranger = world.seeder("198.51.100.1");
    assert_eq!(world.closed, BTreeMap::from([(crowd[0], CloseReason::Dropped(DropReason::Overload))]));
    assert_eq!(world.told(crowd[0]), [], "it may come back, unlike one that is told that it is dropped");
    world.seeder("198.51.100.2");
    let again = world.join(HERE);
    assert_eq!(world.told(again), [TrackerToPeer::Dropped { reason: DropReason::Overload }], "each has half");
    for number in 1..=4 {
        world.seek(HERE, ticket(number), 1);
    }
    let offers = world.seek("198.51.100.1", ticket(5), 1);
    world.seek(HERE, ticket(6), 1);
    world.seek(HERE, ticket(7), 1);
    assert_eq!(World::peers(&offers).len(), 1);
    assert_eq!(world.answer(ticket(5), &offers), Ok(()), "{stranger} and others gave way among themselves");
}

#[test]
fn a_visit_that_gets_nobody_takes_no_place_unless_another_server_gives_it_somebody() {
    let mut world = World::new();
    let tickets = |world: &World| world.tracker.snapshot(world.now_ms).tickets;
    assert_eq!(world.seek(HERE, ticket(1), 4), []);
    assert_eq!(tickets(&world), 0);
    world.remember(HERE, ticket(2));
    assert_eq!(tickets(&world), 1);
    world.seeder("198.51.100.1");
    assert_eq!((world.seek(HERE, ticket(3), 4).len(), tickets(&world)), (1, 2));
}

#[test]
fn answers_of_one_network_that_never_open_leave_half_of_the_slots_to_others() {
    let mut world = World::new();
    let seeders: Vec<_> = (1..=20).map(|number| world.seeder(&format!("203.0.{number}.1"))).collect();
    let mut taken = 0;
    for number in 1..=60 {
        let offers = world.seek("198.51.100.1", ticket(number), 4);
        taken += offers.len();
        let _ = world.answer(ticket(number), &offers);
        for seeder in World::peers(&offers) {
            world.leave_offers(seeder, 1);
        }
    }
    assert_eq!(taken, 40, "of 80");
    let offers = world.seek("192.0.2.1", ticket(100), 4);
    assert_eq!(offers.len(), 4, "everybody else is served");
    for offer in &offers {
        world.told(offer.peer);
    }
    assert!(seeders.iter().all(|seeder| world.tracker.members.sessions[seeder].book.free_slots() >= 1));
}

#[test]
fn an_office_takes_every_slot_as_its_connections_open() {
    let mut world = World::new();
    let seeder = world.seeder("198.51.100.1");
    for _ in 0..4 {
        let (_, offer) = world.connected(HERE);
        let (leecher, number, _) = the_answer(&world.told(seeder));
        assert_eq!((offer.peer, offer.offer), (seeder, number));
        world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: number, ms: 9 });
        world.leave_offers(seeder, 1);
    }
    assert_eq!(world.tracker.members.sessions[&seeder].book.free_slots(), 0);
}

#[test]
fn neighbours_are_not_counted_against_each_other() {
    let mut world = World::new();
    world.seeder(HERE);
    assert!((1..=2).all(|number| world.seek(HERE, ticket(number), 1).len() == 1));
    let seeder = world.seeder(HERE);
    world.leave_offers(seeder, 2);
    assert!((3..=6).all(|number| world.seek(HERE, ticket(number), 1).len() == 1));
}

#[test]
fn the_thin_visit_beyond_the_maximum_takes_the_place_of_the_one_idle_for_longest() {
    let mut world = World::with(TrackerConfig { tickets_max: 2, ..TrackerConfig::default() });
    for _ in 0..3 {
        world.seeder(HERE);
    }
    let given: Vec<Vec<Offer>> = (1..=3).map(|number| world.seek(HERE, ticket(number), 1)).collect();
    assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [1; 3]);
    assert_eq!(world.answer(ticket(1), &given[0]), Err(AnswerError::NeverMatched), "it is forgotten");
    assert_eq!(world.answer(ticket(2), &given[1]), Ok(()));
    assert_eq!(world.tracker.snapshot(world.now_ms).refused.tickets, 1);
    for number in 2..=3 {
        let session = world.join(HERE);
        world.register(session, Some(ticket(number)));
    }
    assert_eq!(world.seek(HERE, ticket(4), 1), [], "those with a session are not forgotten");
    assert_eq!(world.tracker.snapshot(world.now_ms).tickets, 2);
}

#[test]
fn a_peer_that_floods_is_closed_and_others_are_not() {
    let mut world = World::new();
    let (flooder, other) = (world.seeder(HERE), world.seeder(HERE));
    world.wait(60_000);
    let burst = world.tracker.config().message_burst_max;
    for _ in 0..burst {
        world.held(flooder, version(1), APP_BYTES);
    }
    assert_eq!(world.closed, BTreeMap::new());
    world.held(flooder, version(1), APP_BYTES);
    assert_eq!(world.closed, BTreeMap::from([(flooder, CloseReason::TooManyMessages)]));
    let ticket = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek(HERE, ticket, 4)), [other]);
}

#[test]
fn a_peer_within_its_rate_may_talk_for_ever() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    for _ in 0..1_000 {
        world.wait(1_000 / u64::from(world.tracker.config().messages_per_s) + 1);
        world.held(peer, version(1), APP_BYTES);
    }
    assert_eq!(world.closed, BTreeMap::new());
}

#[test]
fn too_many_mistakes_close_the_session() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    for _ in 0..MISTAKES_MAX {
        world.tracker.handle_malformed(world.now_ms, peer, &SignalError::Limit("page"));
    }
    world.drain();
    assert_eq!(world.closed, BTreeMap::new());
    world.tracker.handle_malformed(world.now_ms, peer, &SignalError::Limit("page"));
    world.drain();
    assert_eq!(world.closed, BTreeMap::from([(peer, CloseReason::TooManyMistakes)]));
}

#[test]
fn a_leecher_holds_a_bounded_number_of_unanswered_offers() {
    let mut world = World::new();
    for _ in 0..OUTSTANDING_MATCHES_MAX + 4 {
        world.seeder(HERE);
    }
    let ticket = world.fresh_ticket();
    let mut given = 0;
    for _ in 0..4 {
        given += world.seek(HERE, ticket, 8).len();
    }
    assert_eq!(given, OUTSTANDING_MATCHES_MAX);
    world.wait(world.tracker.config().reserve_ms);
    assert!(!world.seek(HERE, ticket, 8).is_empty(), "lapsed ones make room");
}

#[test]
fn a_leecher_remembers_a_bounded_number_of_matches() {
    let mut world = World::new();
    let ticket = world.fresh_ticket();
    let mut seeders = Vec::new();
    for _ in 0..MATCHES_PER_LEECHER_MAX {
        seeders.push(world.seeder(HERE));
        let offers = world.seek(HERE, ticket, 1);
        world.answer(ticket, &offers).unwrap();
    }
    world.seeder(HERE);
    assert_eq!(world.seek(HERE, ticket, 1), []);
    world.tracker.handle_leave(world.now_ms, seeders[0]);
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1, "an ended connection makes room");
}

#[test]
fn beacons_and_reports_of_one_visit_are_bounded() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let post = VisitPost { ticket, counts: Counts::default(), faults: Vec::new() };
    for _ in 0..BEACONS_PER_TICKET_MAX {
        assert_eq!(world.tracker.handle_visit(world.now_ms, &post), Ok(()));
    }
    assert!(world.tracker.handle_visit(world.now_ms, &post).is_err());
    let fault = FaultReport { peer: seeder, fault: Fault::Slow };
    let (ticket, _) = world.connected(HERE);
    let most = VisitPost { ticket, counts: Counts::default(), faults: vec![fault; 64] };
    assert_eq!(world.tracker.handle_visit(world.now_ms, &most), Ok(()));
    let more = VisitPost { faults: vec![fault; 65], ..most };
    assert!(world.tracker.handle_visit(world.now_ms, &more).is_err());
}

#[test]
fn reports_of_one_reporter_are_bounded() {
    let mut leecher = Leecher::new(1);
    let peers: Vec<_> = (0..=REPORTS_PER_REPORTER_MAX as u64).map(PeerNumber::from_bits).collect();
    let noted = peers.iter().filter(|peer| leecher.note_report(**peer, Fault::Forged) == Noted::New).count();
    assert_eq!(noted, REPORTS_PER_REPORTER_MAX);
}

#[test]
fn an_unlikely_number_of_bytes_is_believed_up_to_a_bound() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    let counts = Counts { bytes_from_peers: u64::MAX, bytes_to_peers: REPORTED_BYTES_MAX, ..Counts::default() };
    world.say(peer, PeerToTracker::Counts(counts));
    let reported = world.tracker.snapshot(world.now_ms).reported;
    assert_eq!((reported.from_peers, reported.to_peers), (REPORTED_BYTES_MAX, REPORTED_BYTES_MAX));
}

#[test]
fn long_pages_and_long_reports_are_refused() {
    let mut world = World::new();
    let page = |len: usize| format!("/{}", "p".repeat(len - 1));
    let register = |page: String| PeerToTracker::Register { page, manifest: None, ticket: None, slots: 1 };
    let peer = world.join(HERE);
    world.say(peer, register(page(PATH_LEN_MAX + 1)));
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Malformed]);
    world.say(peer, register(page(PATH_LEN_MAX)));
    let loaded = |count| PeerToTracker::Loaded { page: page(PATH_LEN_MAX), assets: vec!["/a".to_owned(); count] };
    world.say(peer, loaded(LOADED_ASSETS_MAX + 1));
    assert_eq!(errors(&world.told(peer)), [ErrorCode::TooMany]);
    world.say(peer, loaded(LOADED_ASSETS_MAX));
    assert_eq!(errors(&world.told(peer)), []);
}

#[test]
fn outputs_that_nobody_fetches_are_bounded_and_closes_are_kept() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    for _ in 0..OUTPUTS_MAX {
        world.tracker.send(peer, TrackerToPeer::OffersWanted { count: 1 });
    }
    world.tracker.send(peer, TrackerToPeer::OffersWanted { count: 1 });
    assert_eq!(world.tracker.outputs.len(), OUTPUTS_MAX);
    world.tracker.close(peer, CloseReason::TooManyMessages);
    world.drain();
    assert_eq!(world.closed.len(), 1);
    assert_eq!(world.tracker.snapshot(0).refused.outputs, 1);
}

#[test]
fn nothing_is_kept_of_those_who_left() {
    let mut world = World::new();
    for _ in 0..20 {
        let seeder = world.seeder(HERE);
        world.connected(HERE);
        let ticket = world.fresh_ticket();
        world.seek(HERE, ticket, 1);
        world.tracker.handle_leave(world.now_ms, seeder);
    }
    world.wait(world.tracker.config().ticket_age_max_ms);
    let tracker = &world.tracker;
    let left = (tracker.members.sessions.len(), tracker.members.visits.len(), tracker.members.visits.is_consistent(), tracker.pages.len());
    assert_eq!(left, (0, 0, true, 0));
    assert_eq!((tracker.timers.len(), tracker.candidates.len()), (0, 0));
}
