//! Reports of misbehaviour, true and false.

use viral_wire::signal::{Counts, DropReason, Fault, FaultReport, SourceBytes, VisitPost};

use super::*;

fn report(world: &mut World, ticket: Ticket, peer: PeerNumber, fault: Fault) {
    let post = VisitPost { ticket, counts: Counts::default(), faults: vec![FaultReport { peer, fault }] };
    world.tracker.handle_visit(world.now_ms, &post).unwrap();
    world.drain();
}

/// Serves one leecher to its end, so that the seeder has met somebody who does not complain.
fn served(world: &mut World, seeder: PeerNumber) -> Ticket {
    world.told(seeder);
    let (ticket, offer) = world.connected(HERE);
    assert_eq!(offer.peer, seeder);
    let (leecher, number, _) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: number, ms: 10 });
    world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: number });
    world.leave_offers(seeder, 1);
    ticket
}

#[test]
fn a_forger_is_dropped_when_everybody_it_served_says_so() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    report(&mut world, ticket, seeder, Fault::Forged);
    assert_eq!(world.closed, BTreeMap::from([(seeder, CloseReason::Dropped(DropReason::Forged))]));
    let dropped = TrackerToPeer::Dropped { reason: DropReason::Forged };
    assert_eq!(world.told(seeder).last(), Some(&dropped));
    assert_eq!(world.tracker.snapshot(world.now_ms).bans, 1);
    assert!(world.tracker.lineage().snapshot()[0].dropped);
    let next = world.fresh_ticket();
    assert_eq!(world.seek(HERE, next, 1), [], "its offers are gone");
}

#[test]
fn a_forger_that_comes_back_under_another_number_is_met_last() {
    const THERE: &str = "198.51.100.1";
    let mut world = World::new();
    let forger = world.seeder(THERE);
    let (ticket, _) = world.connected(HERE);
    report(&mut world, ticket, forger, Fault::Forged);
    let (again, honest) = (world.seeder(THERE), world.seeder("203.0.113.77"));
    let next = world.fresh_ticket();
    assert_eq!(World::peers(&world.seek(HERE, next, 2)), [honest, again]);
}

#[test]
fn one_voice_among_several_drops_nobody_and_two_do() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let tickets: Vec<_> = (0..3).map(|_| served(&mut world, seeder)).collect();
    report(&mut world, tickets[0], seeder, Fault::Forged);
    report(&mut world, tickets[0], seeder, Fault::Forged);
    assert_eq!(world.closed, BTreeMap::new(), "twice the same voice is one voice");
    report(&mut world, tickets[1], seeder, Fault::Forged);
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn a_visitor_is_one_voice_with_and_without_its_session() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    served(&mut world, seeder);
    let ticket = served(&mut world, seeder);
    report(&mut world, ticket, seeder, Fault::Forged);
    let session = world.join(HERE);
    world.register(session, Some(ticket));
    world.say(session, PeerToTracker::Report(FaultReport { peer: seeder, fault: Fault::Forged }));
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
fn a_seeder_may_accuse_its_customer() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    let (alias, ..) = the_answer(&world.told(seeder));
    let customer = world.join(HERE);
    world.register(customer, Some(ticket));
    world.say(seeder, PeerToTracker::Report(FaultReport { peer: alias, fault: Fault::Forged }));
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&customer]);
}

#[test]
fn one_address_cannot_empty_a_swarm_by_lying() {
    let mut world = World::new();
    let most = usize::try_from(world.tracker.config().sole_witness_drops_max).unwrap();
    for _ in 0..most + 3 {
        world.seeder(HERE);
        let (ticket, offer) = world.connected(HERE);
        report(&mut world, ticket, offer.peer, Fault::Forged);
    }
    assert_eq!(world.closed.len(), most);
    world.wait(600_000);
    world.seeder(HERE);
    let (ticket, offer) = world.connected(HERE);
    report(&mut world, ticket, offer.peer, Fault::Forged);
    assert_eq!(world.closed.len(), most + 1, "ten minutes later");
}

#[test]
fn a_silent_peer_is_picked_last_and_then_rests() {
    let mut world = World::new();
    let silent = world.seeder(HERE);
    let (ticket, _) = world.connected(HERE);
    report(&mut world, ticket, silent, Fault::Silent);
    let fresh = world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    assert_eq!(offer.peer, fresh, "the one without a strike");
    world.tracker.handle_leave(world.now_ms, fresh);
    for _ in 0..2 {
        let ticket = served(&mut world, silent);
        report(&mut world, ticket, silent, Fault::Silent);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), [], "three strikes");
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
        let sources = vec![SourceBytes { peer: seeder, bytes: 10 }];
        let post = VisitPost { ticket, counts: Counts { sources, ..Counts::default() }, faults: Vec::new() };
        world.tracker.handle_visit(world.now_ms, &post).unwrap();
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}

#[test]
fn being_slow_alone_never_makes_a_peer_rest() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    for _ in 0..6 {
        let ticket = served(&mut world, seeder);
        report(&mut world, ticket, seeder, Fault::Slow);
    }
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}
