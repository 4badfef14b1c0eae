//! Reports of misbehaviour, true and false.

use viral_wire::signal::{Counts, DropReason, Fault, FaultReport, SourceBytes, VisitPost};

use super::*;

const FORGED: Fault = Fault::Forged;

/// Addresses of different networks.
const ELSEWHERE: [&str; 4] = ["198.51.100.1", "192.0.2.1", "2001:db8:1::1", "2001:db8:2::1"];

fn beacon(world: &mut World, ticket: Ticket, counts: Counts, faults: Vec<FaultReport>) {
    world.tracker.handle_visit(world.now_ms, &VisitPost { ticket, counts, faults }).unwrap();
    world.drain();
}

/// A visitor reports a peer, and that it got a piece that matched its digest from somebody.
fn report(world: &mut World, ticket: Ticket, peer: PeerNumber, fault: Fault) {
    beacon(world, ticket, Counts { pieces_verified: 1, ..Counts::default() }, vec![FaultReport { peer, fault }]);
}

/// A visitor says that it got verified bytes from a peer.
fn vouch(world: &mut World, ticket: Ticket, peer: PeerNumber) {
    let counts = Counts { pieces_verified: 1, sources: vec![SourceBytes { peer, bytes: 10, rate: 0 }], ..Counts::default() };
    beacon(world, ticket, counts, Vec::new());
}

/// The seeder says that the connection to whoever answered it last opened; returns the number and the offer.
fn opens(world: &mut World, seeder: PeerNumber) -> (PeerNumber, u32) {
    let (leecher, number, _) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: number, ms: 10 });
    (leecher, number)
}

/// A visitor from there that meets the seeder; its connection opens.
fn meets(world: &mut World, address: &str, seeder: PeerNumber) -> Ticket {
    world.told(seeder);
    let (ticket, offer) = world.connected(address);
    assert_eq!(offer.peer, seeder);
    opens(world, seeder);
    ticket
}

/// Serves one leecher to its end, so that the seeder has met somebody who does not complain.
fn served_from(world: &mut World, address: &str, seeder: PeerNumber) -> Ticket {
    world.told(seeder);
    let (ticket, offer) = world.connected(address);
    assert_eq!(offer.peer, seeder);
    let (leecher, number) = opens(world, seeder);
    world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: number, cause: None });
    world.leave_offers(seeder, 1);
    ticket
}

fn served(world: &mut World, seeder: PeerNumber) -> Ticket {
    served_from(world, HERE, seeder)
}

#[test]
fn a_forger_is_dropped_when_everybody_it_served_says_so() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let ticket = meets(&mut world, HERE, seeder);
    report(&mut world, ticket, seeder, FORGED);
    assert_eq!(world.closed, BTreeMap::from([(seeder, CloseReason::Dropped(DropReason::Forged))]));
    let dropped = TrackerToPeer::Dropped { reason: DropReason::Forged };
    assert_eq!(world.told(seeder).last(), Some(&dropped));
    assert_eq!(world.tracker.snapshot(world.now_ms).bans, 1);
    assert!(world.tracker.lineage().snapshot()[0].dropped);
    let next = world.fresh_ticket();
    assert_eq!(world.seek(HERE, next, 1), [], "its offers are gone");
}

#[test]
fn a_report_counts_once_both_ends_said_that_they_connected_and_the_reporter_got_a_piece() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let faults = vec![FaultReport { peer: seeder, fault: FORGED }];
    beacon(&mut world, ticket, Counts::default(), faults);
    assert_eq!(world.closed, BTreeMap::new(), "anybody can say that");
    opens(&mut world, seeder);
    assert_eq!(world.closed, BTreeMap::new(), "it never got a piece that matched");
    beacon(&mut world, ticket, Counts { pieces_verified: 1, ..Counts::default() }, Vec::new());
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn whoever_never_connected_can_neither_accuse_nor_report_nor_vouch() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    for _ in 0..2 {
        let (ticket, _) = world.connected(HERE);
        for fault in [FORGED, Fault::Unasked, Fault::Malformed, Fault::Silent] {
            report(&mut world, ticket, seeder, fault);
        }
        vouch(&mut world, ticket, seeder);
    }
    assert_eq!(world.closed, BTreeMap::new());
    let session = &world.tracker.members.sessions[&seeder];
    let network = crate::locality::network_key(HERE.parse().unwrap());
    assert!(!session.standing.is_proven_to(network) && session.standing.fault_count_for(world.now_ms, network) == 0);
}

#[test]
fn the_word_of_a_quick_reporter_waits_for_that_of_a_slow_forger() {
    let mut world = World::new();
    let forger = world.seeder(HERE);
    let (ticket, offer) = world.connected(HERE);
    let (alias, ..) = the_answer(&world.told(forger));
    let leecher = world.join(HERE);
    world.register(leecher, Some(ticket));
    world.say(leecher, PeerToTracker::Counts(Counts { pieces_verified: 1, ..Counts::default() }));
    world.say(leecher, PeerToTracker::Opened { peer: forger, offer: offer.offer, ms: 9 });
    world.say(leecher, PeerToTracker::Report(FaultReport { peer: forger, fault: FORGED }));
    world.say(leecher, PeerToTracker::Closed { peer: forger, offer: offer.offer, cause: None });
    assert_eq!(world.closed, BTreeMap::new());
    world.say(forger, PeerToTracker::Opened { peer: alias, offer: offer.offer, ms: 9 });
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&forger]);
    assert_eq!(
        world.told(forger),
        [TrackerToPeer::Dropped { reason: DropReason::Forged }],
        "the last word to somebody whose own word ended it"
    );
}

#[test]
fn a_forger_that_never_says_that_it_connected_cools_down_instead() {
    let mut world = World::new();
    let forger = world.seeder(HERE);
    for address in &ELSEWHERE[..3] {
        let (ticket, _) = world.connected(address);
        report(&mut world, ticket, forger, FORGED);
        world.wait(world.tracker.config().open_wait_ms);
        world.leave_offers(forger, 1);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(ELSEWHERE[3], ticket, 1), [], "three networks waited in vain");
}

#[test]
fn a_forger_cannot_have_its_connections_forgotten_by_those_it_met() {
    let mut world = World::new();
    let forger = world.seeder(HERE);
    for address in &ELSEWHERE[..3] {
        let (ticket, offer) = world.connected(address);
        let leecher = world.join(address);
        world.register(leecher, Some(ticket));
        world.say(leecher, PeerToTracker::Opened { peer: forger, offer: offer.offer, ms: 9 });
        world.say(leecher, PeerToTracker::Closed { peer: forger, offer: offer.offer, cause: None });
        world.tracker.handle_leave(world.now_ms, leecher);
        let (alias, ..) = the_answer(&world.told(forger));
        world.say(forger, PeerToTracker::Closed { peer: alias, offer: offer.offer, cause: None });
        world.leave_offers(forger, 1);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(ELSEWHERE[3], ticket, 1), [], "it never said that they opened");
}

#[test]
fn a_forger_that_comes_back_under_another_number_is_met_last() {
    const THERE: &str = "198.51.100.1";
    let mut world = World::new();
    let forger = world.seeder(THERE);
    for address in [HERE, "192.0.2.1"] {
        let ticket = meets(&mut world, address, forger);
        report(&mut world, ticket, forger, FORGED);
    }
    let (again, honest) = (world.seeder(THERE), world.seeder("203.0.113.77"));
    let next = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek(HERE, next, 2)), [honest, again]);
}

#[test]
fn one_foreign_network_hides_a_forger_from_itself_only_and_two_drop_it() {
    let mut world = World::new();
    let forger = world.seeder(HERE);
    for _ in 0..3 {
        // The report comes later: whoever made one does not meet the forger again.
        let ticket = served_from(&mut world, ELSEWHERE[0], forger);
        world.leave_offers(forger, 1);
        if world.next_ticket == 3 {
            report(&mut world, ticket, forger, FORGED);
        }
    }
    assert_eq!(world.closed, BTreeMap::new());
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(ELSEWHERE[0], ticket, 1), [], "it is hidden here");
    let ticket = served_from(&mut world, ELSEWHERE[1], forger);
    report(&mut world, ticket, forger, FORGED);
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&forger]);
}

#[test]
fn a_proven_peer_is_not_dropped_by_fewer_networks_than_vouch_for_it() {
    let mut world = World::new();
    let seeder = world.seeder("203.0.114.1");
    for address in &ELSEWHERE[..3] {
        let ticket = served_from(&mut world, address, seeder);
        vouch(&mut world, ticket, seeder);
    }
    for (address, count) in [(HERE, 0), (ELSEWHERE[3], 0), ("2001:db8:3::1", 1)] {
        let ticket = served_from(&mut world, address, seeder);
        report(&mut world, ticket, seeder, FORGED);
        assert_eq!(world.closed.len(), count, "{address}");
    }
}

#[test]
fn one_network_drops_no_stranger_however_many_visitors_it_sends() {
    let mut world = World::new();
    let seeders: Vec<_> = ["203.0.114.1", "203.0.115.1", "203.0.116.1"].iter().map(|address| world.seeder(address)).collect();
    for last in 1..=9 {
        let (ticket, address) = (world.fresh_ticket(), format!("198.51.100.{last}"));
        // Known and heard whether or not it is given anybody here.
        world.remember(&address, ticket);
        let offers = world.seek(&address, ticket, 4);
        let _ = world.answer(ticket, &offers);
        for seeder in World::peers(&offers) {
            opens(&mut world, seeder);
            world.leave_offers(seeder, 1);
        }
        for seeder in &seeders {
            report(&mut world, ticket, *seeder, FORGED);
        }
    }
    assert_eq!(world.closed, BTreeMap::new());
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 4).len(), 3, "everybody else meets them as before");
}

#[test]
fn one_voice_among_several_neighbours_drops_nobody_and_two_do() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let tickets: Vec<_> = (0..3).map(|_| served(&mut world, seeder)).collect();
    report(&mut world, tickets[0], seeder, FORGED);
    report(&mut world, tickets[0], seeder, FORGED);
    assert_eq!(world.closed, BTreeMap::new(), "twice the same voice is one voice");
    report(&mut world, tickets[1], seeder, FORGED);
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn one_report_is_one_fault_whatever_its_kinds() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let ticket = served(&mut world, seeder);
    for fault in [Fault::Silent, Fault::Unasked, Fault::Malformed] {
        report(&mut world, ticket, seeder, fault);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}

#[test]
fn a_visitor_is_one_voice_with_and_without_its_session() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    served(&mut world, seeder);
    let ticket = served(&mut world, seeder);
    report(&mut world, ticket, seeder, FORGED);
    let session = world.join(HERE);
    world.register(session, Some(ticket));
    world.say(session, PeerToTracker::Report(FaultReport { peer: seeder, fault: FORGED }));
    assert_eq!(world.closed, BTreeMap::new());
}

#[test]
fn nobody_can_accuse_a_peer_it_never_met() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let stranger = world.seeder("198.51.100.1");
    world.say(stranger, PeerToTracker::Report(FaultReport { peer: seeder, fault: Fault::Forged }));
    assert_eq!(errors(&world.told(stranger)), [signal::ErrorCode::Unknown]);
    let ticket = world.fresh_ticket();
    world.seek(HERE, ticket, 1);
    report(&mut world, ticket, seeder, Fault::Forged);
    assert_eq!(world.closed, BTreeMap::new(), "an offer it never answered is no meeting");
    assert_eq!(world.tracker.snapshot(world.now_ms).faults, BTreeMap::new());
}

#[test]
fn a_seeder_may_accuse_whom_it_serves() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, offer) = world.connected(HERE);
    let (alias, ..) = the_answer(&world.told(seeder));
    let upload = world.join(HERE);
    world.register(upload, Some(ticket));
    world.say(seeder, PeerToTracker::Counts(Counts { pieces_verified: 1, ..Counts::default() }));
    world.say(seeder, PeerToTracker::Report(FaultReport { peer: alias, fault: Fault::Forged }));
    assert_eq!(world.closed, BTreeMap::new(), "it has not said that they connected");
    world.say(upload, PeerToTracker::Opened { peer: seeder, offer: offer.offer, ms: 9 });
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&upload]);
}

/// A fresh peer of which the only one that it serves says that it forges.
fn accused_alone(world: &mut World) {
    let seeder = world.seeder(HERE);
    let (ticket, offer) = world.connected(HERE);
    let (leecher, number, _) = the_answer(&world.told(offer.peer));
    world.say(offer.peer, PeerToTracker::Opened { peer: leecher, offer: number, ms: 10 });
    report(world, ticket, offer.peer, FORGED);
    assert!(!world.closed.contains_key(&offer.peer) || offer.peer == seeder);
    world.tracker.handle_leave(world.now_ms, seeder);
}

#[test]
fn one_address_cannot_empty_a_swarm_of_neighbours_by_lying() {
    let mut world = World::new();
    let most = usize::try_from(world.tracker.config().sole_reporter_drops_max).unwrap();
    for _ in 0..most + 3 {
        accused_alone(&mut world);
    }
    assert_eq!(world.closed.len(), most);
    world.wait(600_000);
    accused_alone(&mut world);
    assert_eq!(world.closed.len(), most + 1, "ten minutes later");
}

#[test]
fn a_silent_peer_is_picked_last_and_then_cools_down() {
    let mut world = World::new();
    let silent = world.seeder(HERE);
    let ticket = meets(&mut world, HERE, silent);
    report(&mut world, ticket, silent, Fault::Silent);
    let fresh = world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    assert_eq!(offer.peer, fresh, "the one without a fault");
    world.tracker.handle_leave(world.now_ms, fresh);
    for _ in 0..2 {
        let ticket = served(&mut world, silent);
        report(&mut world, ticket, silent, Fault::Silent);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), [], "three faults");
    assert_eq!(world.closed, BTreeMap::new(), "but it is not dropped");
    world.wait(120_000);
    assert_eq!(World::peers(&world.seek(HERE, ticket, 1)), [silent], "after its rest");
}

#[test]
fn bytes_that_a_peer_gave_make_up_for_its_faults() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    for _ in 0..6 {
        let ticket = served(&mut world, seeder);
        report(&mut world, ticket, seeder, Fault::Silent);
        vouch(&mut world, ticket, seeder);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}

#[test]
fn being_slow_alone_never_makes_a_peer_cool_down() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    for _ in 0..6 {
        let ticket = served(&mut world, seeder);
        report(&mut world, ticket, seeder, Fault::Slow);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}
