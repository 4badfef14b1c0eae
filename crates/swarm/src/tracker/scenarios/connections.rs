//! Slots and offers over the life of connections.

use viral_wire::limits::OFFERS_PER_PEER_MAX;

use super::*;

fn wanted(messages: &[TrackerToPeer]) -> u32 {
    let count = |message: &TrackerToPeer| {
        if let TrackerToPeer::OffersWanted { count } = message { u32::from(*count) } else { 0 }
    };
    messages.iter().map(count).sum()
}

#[test]
fn offers_are_asked_for_as_they_are_used_and_never_twice() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    assert_eq!(wanted(&world.told(seeder)), 1, "one is promised");
    world.answer(ticket, &offers).unwrap();
    assert_eq!(wanted(&world.told(seeder)), 0, "asked for already");
    world.leave_offers(seeder, 1);
    assert_eq!(wanted(&world.told(seeder)), 0, "two are ready again");
}

#[test]
fn a_seeder_that_did_not_leave_what_it_was_asked_for_is_asked_again_later() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    world.connected(HERE);
    assert_eq!(wanted(&world.told(seeder)), 1);
    world.wait(30_000);
    world.connected(HERE);
    assert_eq!(wanted(&world.told(seeder)), 2);
}

#[test]
fn a_seeder_with_every_slot_taken_is_left_alone_until_one_is_free() {
    let mut world = World::with(TrackerConfig { slots_max: 2, random_share_permille: 0, ..TrackerConfig::default() });
    let seeder = world.seeder(HERE);
    let (_, first) = world.connected(HERE);
    let (leecher, ..) = the_answer(&world.told(seeder));
    world.say(seeder, PeerToTracker::Opened { peer: leecher, offer: first.offer, ms: 20 });
    world.connected(HERE);
    world.leave_offers(seeder, 1);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), [], "an offer but no slot");
    world.say(seeder, PeerToTracker::Closed { peer: leecher, offer: first.offer, cause: None });
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
}

#[test]
fn an_answer_that_never_opens_frees_its_slot_and_counts_as_failed() {
    let mut world = World::with(TrackerConfig { slots_max: 1, ..TrackerConfig::default() });
    let seeder = world.seeder(HERE);
    world.connected(HERE);
    world.leave_offers(seeder, 1);
    world.wait(world.tracker.config().open_wait_ms - 1);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), []);
    world.wait(1);
    assert_eq!(world.seek(HERE, ticket, 1).len(), 1);
    let matches = world.tracker.snapshot(world.now_ms).matches;
    assert_eq!((matches.answered, matches.opened, matches.failed), (1, 0, 1));
}

#[test]
fn either_end_may_tell_and_telling_twice_does_no_harm() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (ticket, offer) = world.connected(HERE);
    let (alias, ..) = the_answer(&world.told(seeder));
    let leecher = world.join(HERE);
    world.register(leecher, Some(ticket));
    world.told(leecher);
    world.say(leecher, PeerToTracker::Opened { peer: seeder, offer: offer.offer, ms: 9 });
    world.say(seeder, PeerToTracker::Opened { peer: alias, offer: offer.offer, ms: 9 });
    world.say(leecher, PeerToTracker::Closed { peer: seeder, offer: offer.offer, cause: None });
    world.say(seeder, PeerToTracker::Closed { peer: alias, offer: offer.offer, cause: None });
    let matches = world.tracker.snapshot(world.now_ms).matches;
    assert_eq!((matches.opened, matches.failed), (1, 0));
    assert_eq!((errors(&world.told(leecher)), errors(&world.told(seeder))), (vec![], vec![]));
}

#[test]
fn nobody_can_close_the_connections_of_others() {
    let mut world = World::with(TrackerConfig { slots_max: 1, ..TrackerConfig::default() });
    let seeder = world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    let stranger = world.seeder("198.51.100.1");
    world.say(stranger, PeerToTracker::Closed { peer: seeder, offer: offer.offer, cause: None });
    assert_eq!(errors(&world.told(stranger)), [signal::ErrorCode::Unknown]);
    world.leave_offers(seeder, 1);
    let ticket = world.fresh_ticket();
    assert_ne!(World::peers(&world.seek(HERE, ticket, 1)), [seeder]);
}

#[test]
fn old_offers_are_thrown_away_and_new_ones_asked_for() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    world.wait(world.tracker.config().offer_age_max_ms - 1);
    assert_eq!(world.told(seeder), []);
    world.wait(1);
    assert_eq!(wanted(&world.told(seeder)), 2);
    let ticket = world.fresh_ticket();
    assert_eq!(world.seek(HERE, ticket, 1), []);
}

#[test]
fn an_offer_that_ages_out_while_reserved_can_still_be_answered_in_time() {
    let mut world = World::new();
    world.seeder(HERE);
    world.wait(world.tracker.config().offer_age_max_ms - 1_000);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    world.wait(5_000);
    assert_eq!(world.answer(ticket, &offers), Ok(()));
}

#[test]
fn a_seeder_keeps_at_most_four_offers_and_the_newest_is_refused() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let most = u32::try_from(OFFERS_PER_PEER_MAX).unwrap();
    world.leave_offers(seeder, most - 2);
    assert_eq!(errors(&world.told(seeder)), []);
    world.leave_offers(seeder, 1);
    assert_eq!(errors(&world.told(seeder)), [signal::ErrorCode::TooMany]);
    let given: usize = (1..=5).map(|number| world.seek(HERE, ticket(number), 1).len()).sum();
    assert_eq!(given, 4);
}
