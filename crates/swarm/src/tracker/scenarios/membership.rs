//! Joining, registering, leaving, deploys and restarts.

use viral_wire::limits::{ERROR_MESSAGE_LEN_MAX, LOADED_REPORTS_MAX};
use viral_wire::signal::{Counts, ErrorCode, SignalError, SourceBytes, VisitPost};

use super::*;
use crate::lineage::{LineageEvent, ORIGIN, VisitKind};
use crate::pageset::{Report, ReportKind};

fn register_message(page: &str) -> PeerToTracker {
    PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 4 }
}

#[test]
fn a_newcomer_is_welcomed_and_told_the_manifest_as_soon_as_it_is_known() {
    let mut world = World::new();
    let peer = world.join(HERE);
    world.register(peer, None);
    let welcome = TrackerToPeer::Welcome { peer, offers_wanted: 2, slots: 4, up_bytes_per_s: 0, up_bytes_per_day: 0, stun: Vec::new() };
    assert_eq!(world.told(peer), [welcome]);
    assert_eq!(world.others, [TrackerOutput::PageWanted { page: "/".to_owned() }]);
    world.tracker.handle_manifest(world.now_ms, "/", version(1));
    world.drain();
    let manifest = TrackerToPeer::Manifest { page: "/".to_owned(), manifest: version(1) };
    assert_eq!(world.told(peer), std::slice::from_ref(&manifest));
    let second = world.join(HERE);
    world.register(second, None);
    assert_eq!(world.told(second)[1], manifest, "known by now");
}

#[test]
fn every_peer_of_a_page_hears_of_a_deploy_once() {
    let mut world = World::new();
    let (first, second) = (world.seeder(HERE), world.seeder(HERE));
    let elsewhere = world.join(HERE);
    world.say(elsewhere, register_message("/other"));
    world.told(elsewhere);
    for _ in 0..2 {
        world.tracker.handle_manifest(world.now_ms, "/", version(2));
        world.tracker.handle_manifest(world.now_ms, "/nobody-is-here", version(2));
        world.drain();
    }
    let told = [TrackerToPeer::Manifest { page: "/".to_owned(), manifest: version(2) }];
    assert_eq!((world.told(first), world.told(second)), (told.to_vec(), told.to_vec()));
    assert_eq!(world.told(elsewhere), []);
}

#[test]
fn messages_out_of_turn_are_answered_with_errors() {
    let mut world = World::new();
    let peer = world.join(HERE);
    world.held(peer, version(1), 5);
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Unexpected], "register first");
    world.say(peer, register_message("no-slash"));
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Malformed]);
    world.register(peer, None);
    world.register(peer, None);
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Unexpected], "once is enough");
    world.tracker.handle_malformed(world.now_ms, peer, &SignalError::Limit("page"));
    world.tracker.handle_page_unknown(world.now_ms, "/");
    world.drain();
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Malformed, ErrorCode::Unknown]);
}

#[test]
fn a_malformed_message_is_answered_with_what_is_wrong_with_it() {
    let mut world = World::new();
    let peer = world.join(HERE);
    world.tracker.handle_malformed(world.now_ms, peer, &SignalError::TooLong { len: 70_000, max: 65_536 });
    world.tracker.handle_malformed(world.now_ms, peer, &SignalError::Json { detail: "ü".repeat(1000) });
    world.drain();
    let told = world.told(peer);
    let [TrackerToPeer::Error { message: first, .. }, TrackerToPeer::Error { message: second, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(first, "message is 70000 bytes, limit 65536");
    assert!(second.starts_with("malformed message: ü") && second.len() <= ERROR_MESSAGE_LEN_MAX);
}

#[test]
fn reports_of_what_was_used_are_passed_on_for_the_page_of_the_session_and_up_to_a_limit() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    world.others.clear();
    let loaded = |page: &str| PeerToTracker::Loaded { page: page.to_owned(), assets: vec!["/app.js".to_owned()] };
    world.say(peer, loaded("/other"));
    assert_eq!(world.others, []);
    assert_eq!(errors(&world.told(peer)), [ErrorCode::Unexpected]);
    for _ in 0..LOADED_REPORTS_MAX {
        world.say(peer, loaded("/"));
    }
    let paths = vec!["/app.js".to_owned()];
    let report = Report { voter: peer.get(), address: HERE.parse().unwrap(), kind: ReportKind::Full, paths };
    assert_eq!(
        world.others,
        vec![TrackerOutput::Loaded { page: "/".to_owned(), peer, browser: None, report }; LOADED_REPORTS_MAX],
        "at the maximum"
    );
    world.others.clear();
    world.say(peer, loaded("/"));
    assert_eq!(world.others, [], "one over");
    assert_eq!(errors(&world.told(peer)), [ErrorCode::TooMany]);
    assert!(!world.closed.contains_key(&peer));
}

#[test]
fn whoever_came_by_a_thin_answer_reports_as_such() {
    let mut world = World::new();
    let _seeder = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    world.seek(HERE, ticket, 1);
    let peer = world.join(HERE);
    world.register(peer, Some(ticket));
    world.others.clear();
    world.say(peer, PeerToTracker::Loaded { page: "/".to_owned(), assets: Vec::new() });
    let report = Report { voter: peer.get(), address: HERE.parse().unwrap(), kind: ReportKind::Thin, paths: Vec::new() };
    assert_eq!(world.others, [TrackerOutput::Loaded { page: "/".to_owned(), peer, browser: None, report }]);
}

#[test]
fn only_the_ticket_that_came_with_a_page_makes_a_report_that_of_a_thin_visit() {
    for (page, ticket) in [("/", ticket(99)), ("/other", ticket(1))] {
        let mut world = World::new();
        let _seeder = world.seeder(HERE);
        let own = world.fresh_ticket();
        world.seek(HERE, own, 1);
        let peer = world.join(HERE);
        world.say(peer, PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: Some(ticket), slots: 1 });
        world.others.clear();
        world.say(peer, PeerToTracker::Loaded { page: page.to_owned(), assets: Vec::new() });
        let kind = |output: &TrackerOutput| if let TrackerOutput::Loaded { report, .. } = output { Some(report.kind) } else { None };
        assert_eq!(world.others.iter().find_map(kind), Some(ReportKind::Full), "{page}: the host looks what it sent");
    }
}

#[test]
fn whoever_never_registers_is_closed() {
    let mut world = World::new();
    let (silent, registered) = (world.join(HERE), world.join(HERE));
    world.register(registered, None);
    world.wait(30_000);
    assert_eq!(world.closed, BTreeMap::from([(silent, CloseReason::NeverRegistered)]));
}

#[test]
fn a_seeder_that_leaves_takes_its_offers_with_it() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    world.tracker.handle_leave(world.now_ms, seeder);
    world.tracker.handle_leave(world.now_ms, seeder);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), []);
    assert_eq!(world.tracker.snapshot(world.now_ms).sessions, 0);
}

#[test]
fn seeders_come_back_after_a_restart_that_forgot_everything() {
    let mut world = World::new();
    let peer = world.join(HERE);
    // Its ticket is of the time before.
    world.register(peer, Some(ticket(999)));
    world.held(peer, version(1), APP_BYTES);
    world.leave_offers(peer, 2);
    assert_eq!(errors(&world.told(peer)), []);
    let (_, offer) = world.connected(HERE);
    assert_eq!(offer.peer, peer);
}

#[test]
fn visitors_are_counted_as_leechers_until_they_hold_the_whole() {
    let mut world = World::new();
    world.seeder(HERE);
    let counted = |world: &World| {
        let stats = world.tracker.snapshot(world.now_ms);
        (stats.seeders, stats.leechers)
    };
    assert_eq!(counted(&world), (1, 0));
    let (ticket, _) = world.connected(HERE);
    assert_eq!(counted(&world), (1, 1));
    let peer = world.join(HERE);
    world.register(peer, Some(ticket));
    assert_eq!(counted(&world), (1, 1), "the same visitor");
    world.held(peer, version(1), 949);
    assert_eq!(counted(&world), (1, 1));
    world.held(peer, version(1), 950);
    assert_eq!(counted(&world), (1, 1), "nobody can be introduced to it yet");
    world.leave_offers(peer, 1);
    assert_eq!(counted(&world), (2, 0));
    world.connected(HERE);
    world.wait(60_000);
    assert_eq!(counted(&world), (2, 0), "a visit without a sign of life is over");
}

#[test]
fn of_a_page_those_count_as_seeders_who_hold_its_manifest_of_now_whole() {
    let mut world = World::new();
    assert_eq!(world.tracker.seeders_of("/"), 0);
    let (first, second) = (world.seeder(HERE), world.seeder(HERE));
    assert_eq!(world.tracker.seeders_of("/"), 0, "what the page's manifest is was not said yet");
    world.tracker.handle_manifest(world.now_ms, "/", version(1));
    assert_eq!((world.tracker.seeders_of("/"), world.tracker.seeders_of("/other")), (2, 0));
    world.held(second, version(1), 949);
    assert_eq!(world.tracker.seeders_of("/"), 1);
    world.tracker.handle_manifest(world.now_ms, "/", version(2));
    assert_eq!(world.tracker.seeders_of("/"), 0, "a new version, which nobody holds yet");
    world.held(first, version(2), APP_BYTES);
    assert_eq!(world.tracker.seeders_of("/"), 1);
    world.tracker.handle_leave(world.now_ms, first);
    assert_eq!(world.tracker.seeders_of("/"), 0);
}

#[test]
fn the_lineage_tells_who_got_the_app_from_whom() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let since = world.tracker.lineage().next_event();
    let (ticket, offer) = world.connected(HERE);
    let (leecher, ..) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: offer.offer, ms: 30 });
    let peer = world.join(HERE);
    world.register(peer, Some(ticket));
    let sources = vec![SourceBytes { peer: seeder, bytes: 900, rate: 0 }];
    let counts = Counts { bytes_from_peers: 900, bytes_from_origin: 100, sources, ..Counts::default() };
    world.say(peer, PeerToTracker::Counts(counts));
    world.held(peer, version(1), APP_BYTES);
    world.tracker.handle_leave(world.now_ms, peer);
    let joined_ms = world.now_ms;
    let joined = LineageEvent::Joined { ordinal: 2, answer: VisitKind::Thin, page: "/".to_owned(), joined_ms };
    let expected = [
        joined,
        LineageEvent::Linked { ordinal: 2, from: 1 },
        LineageEvent::Bytes { ordinal: 2, from: ORIGIN, bytes: 100 },
        LineageEvent::Bytes { ordinal: 2, from: 1, bytes: 900 },
        LineageEvent::Seeding { ordinal: 2 },
        LineageEvent::Left { ordinal: 2 },
    ];
    assert_eq!(world.tracker.lineage().news(since).events, expected);
}

#[test]
fn a_thin_visitor_without_a_socket_reports_by_beacon() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let sources =
        vec![SourceBytes { peer: seeder, bytes: 700, rate: 0 }, SourceBytes { peer: PeerNumber::from_bits(5), bytes: 9, rate: 0 }];
    let counts = Counts { bytes_from_peers: 709, pieces_verified: 3, sources, ..Counts::default() };
    let post = VisitPost { ticket, counts, faults: Vec::new() };
    assert_eq!(world.tracker.handle_visit(world.now_ms, &post), Ok(()));
    let stats = world.tracker.snapshot(world.now_ms);
    assert_eq!((stats.reported.from_peers, stats.reported.pieces_verified, stats.leechers), (709, 3, 0));
    let visits = world.tracker.lineage().snapshot();
    assert_eq!(visits[1].sources.len(), 1, "only of whom it was matched with");
    let unknown = VisitPost { ticket: super::ticket(99), ..post };
    assert!(world.tracker.handle_visit(world.now_ms, &unknown).is_err());
}

#[test]
fn a_visitor_whose_socket_is_lost_goes_on_as_the_same_visit() {
    let mut world = World::new();
    world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let first = world.join(HERE);
    world.register(first, Some(ticket));
    let second = world.join(HERE);
    world.register(second, Some(ticket));
    assert_eq!(world.tracker.lineage().visits_seen(), 2, "taken over before the old socket was seen to close");
    world.tracker.handle_leave(world.now_ms, first);
    world.tracker.handle_leave(world.now_ms, second);
    let third = world.join(HERE);
    world.register(third, Some(ticket));
    assert_eq!(world.tracker.lineage().visits_seen(), 2);
    assert!(!world.tracker.lineage().snapshot()[1].left);
}

#[test]
fn only_the_sessions_of_that_browser_and_page_are_told_what_it_used() {
    let mut world = World::new();
    let (own, elsewhere) = (world.join_as(HERE, Some(7)), world.join_as(HERE, Some(7)));
    world.register(own, None);
    world.say(elsewhere, register_message("/other"));
    let (stranger, nobody) = (world.join_as(HERE, Some(8)), world.join(HERE));
    world.register(stranger, None);
    world.register(nobody, None);
    for peer in [own, elsewhere, stranger, nobody] {
        world.told(peer);
    }
    let assets = vec!["/worker.wasm".to_owned()];
    world.tracker.handle_used(world.now_ms, 7, "/", &assets);
    world.drain();
    assert_eq!(world.told(own), [TrackerToPeer::Used { page: "/".to_owned(), assets }]);
    for peer in [elsewhere, stranger, nobody] {
        assert_eq!(world.told(peer), []);
    }
    world.tracker.handle_leave(world.now_ms, own);
    world.tracker.handle_used(world.now_ms, 7, "/", &["/late.js".to_owned()]);
    world.drain();
    assert_eq!(world.told(own), []);
}

#[test]
fn what_was_used_is_told_in_as_many_signals_as_it_takes() {
    use viral_wire::limits::{LOADED_ASSETS_MAX, PATH_LEN_MAX, SIGNAL_LEN_MAX};
    let mut world = World::new();
    let own = world.join_as(HERE, Some(7));
    world.register(own, None);
    world.told(own);
    for (count, len, signals) in [(LOADED_ASSETS_MAX, 9, 1), (LOADED_ASSETS_MAX + 1, 9, 2), (200, PATH_LEN_MAX, 14), (0, 9, 0)] {
        let assets: Vec<String> = (0..count).map(|n| format!("/{n:0>width$}", width = len - 1)).collect();
        world.tracker.handle_used(world.now_ms, 7, "/", &assets);
        world.drain();
        let told = world.told(own);
        assert_eq!(told.len(), signals, "{count} of {len} B");
        assert!(told.iter().all(|signal| signal::encode(signal).len() <= SIGNAL_LEN_MAX));
        let named = told.into_iter().flat_map(|signal| if let TrackerToPeer::Used { assets, .. } = signal { assets } else { Vec::new() });
        assert_eq!(named.collect::<Vec<_>>(), assets);
    }
}

#[test]
fn what_a_visitor_takes_from_peers_is_counted_for_its_page_once_that_is_known() {
    let mut world = World::new();
    let peer = world.seeder(HERE);
    world.others.clear();
    let counts = || Counts { bytes_from_peers: 9, rings: [5, 3, 1], ..Counts::default() };
    world.say(peer, PeerToTracker::Counts(counts()));
    assert_eq!(world.others, [], "nobody said that there is such a page");
    world.tracker.handle_manifest(world.now_ms, "/", version(1));
    world.say(peer, PeerToTracker::Counts(counts()));
    let counted = TrackerOutput::Counted { page: "/".to_owned(), from_peers: 9, rings: [5, 3, 1] };
    assert_eq!(world.others, std::slice::from_ref(&counted));
    let ticket = world.fresh_ticket();
    world.seek(HERE, ticket, 1);
    world.tracker.handle_visit(world.now_ms, &VisitPost { ticket, counts: counts(), faults: Vec::new() }).unwrap();
    world.drain();
    assert_eq!(world.others, [counted.clone(), counted], "by a beacon, too");
}
