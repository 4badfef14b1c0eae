//! What is relayed, to whom, and what is refused.

use std::net::IpAddr;

use viral_wire::description::Address;

use super::*;

#[test]
fn an_answer_reaches_the_maker_of_the_offer_and_nobody_else() {
    let mut world = World::new();
    let seeders = [world.seeder(HERE), world.seeder(HERE)];
    let (_, offer) = world.connected(HERE);
    for seeder in seeders {
        let told = world.told(seeder);
        let answered = told.iter().any(|message| matches!(message, TrackerToPeer::Answer { .. }));
        assert_eq!(answered, seeder == offer.peer);
    }
}

#[test]
fn an_answer_for_a_peer_never_matched_is_refused_whole() {
    let mut world = World::new();
    let (near, far) = (world.seeder(HERE), world.seeder("198.51.100.1"));
    let ticket = world.fresh_ticket();
    let mut offers = world.seek(HERE, ticket, 1);
    assert_eq!(World::peers(&offers), [near]);
    offers.push(Offer { peer: far, offer: 2, ..offers[0].clone() });
    world.told(near);
    assert_eq!(world.answer(ticket, &offers), Err(AnswerError::NeverMatched));
    assert_eq!(world.told(near), [], "not even the good half is relayed");
    let stranger = world.fresh_ticket();
    assert_eq!(world.answer(stranger, &offers[..1]), Err(AnswerError::NeverMatched));
}

#[test]
fn malformed_batches_are_refused() {
    let mut world = World::new();
    world.seeder(HERE);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    assert_eq!(world.answer(ticket, &[]), Err(AnswerError::Malformed));
    assert_eq!(world.answer(ticket, &[offers[0].clone(), offers[0].clone()]), Err(AnswerError::Malformed));
    assert_eq!(world.answer(ticket, &vec![offers[0].clone(); 9]), Err(AnswerError::Malformed));
    let mut batch = answers(&offers);
    batch[0].description = description("actpass");
    let result = world.tracker.handle_answers(world.now_ms, Answerer::Ticket(ticket), batch);
    assert_eq!(result, Err(AnswerError::Malformed));
    assert_eq!(world.answer(ticket, &offers), Ok(()), "and did no harm");
}

#[test]
fn an_offer_is_answered_once() {
    let mut world = World::new();
    world.seeder(HERE);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    assert_eq!(world.answer(ticket, &offers), Ok(()));
    assert_eq!(world.answer(ticket, &offers), Err(AnswerError::Gone));
}

#[test]
fn one_offer_gone_does_not_spoil_the_others() {
    let mut world = World::new();
    let (first, second) = (world.seeder(HERE), world.seeder(HERE));
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 2);
    world.tracker.handle_leave(world.now_ms, first);
    assert_eq!(world.answer(ticket, &offers), Ok(()));
    the_answer(&world.told(second));
    world.tracker.handle_leave(world.now_ms, second);
    assert_eq!(world.answer(ticket, &offers), Err(AnswerError::Gone));
}

#[test]
fn an_offer_waits_for_one_leecher_and_then_serves_the_next() {
    let mut world = World::new();
    let seeder = world.join(HERE);
    world.register(seeder, None);
    world.held(seeder, version(1), APP_BYTES);
    world.leave_offers(seeder, 1);
    let (slow, quick) = (world.fresh_ticket(), world.fresh_ticket());
    let given = world.seek(HERE, slow, 1);
    assert_eq!(world.seek(HERE, quick, 1), [], "reserved");
    world.wait(world.tracker.config().reserve_ms - 1);
    assert_eq!(world.seek(HERE, quick, 1), [], "reserved to the last millisecond");
    world.wait(1);
    let again = world.seek(HERE, quick, 1);
    assert_eq!(again[0].offer, given[0].offer);
    assert_eq!(world.answer(slow, &given), Err(AnswerError::Gone), "it is another's now");
    assert_eq!(world.answer(quick, &again), Ok(()));
}

#[test]
fn a_late_answer_is_taken_while_nobody_else_was_given_the_offer_and_keeps_its_plan() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let ticket = world.fresh_ticket();
    let offers = world.seek(HERE, ticket, 1);
    world.wait(world.tracker.config().reserve_ms + 5_000);
    assert_eq!(world.answer(ticket, &offers), Ok(()));
    assert_eq!(the_answer(&world.told(seeder)).2, offers[0].push);
}

#[test]
fn a_renewed_offer_voids_the_old_description() {
    let mut world = World::new();
    let seeder = world.join(HERE);
    world.register(seeder, None);
    world.held(seeder, version(1), APP_BYTES);
    let number = world.leave_offers(seeder, 1)[0];
    let ticket = world.fresh_ticket();
    let given = world.seek(HERE, ticket, 1);
    world.next_offer = number;
    assert_eq!(world.leave_offers(seeder, 1), [number]);
    assert_eq!(world.answer(ticket, &given), Err(AnswerError::Gone));
    let (_, offer) = world.connected(HERE);
    assert_eq!(offer.offer, number);
}

#[test]
fn an_answered_number_cannot_be_left_again_while_its_connection_lives() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    world.told(seeder);
    world.next_offer = offer.offer;
    world.leave_offers(seeder, 1);
    assert_eq!(errors(&world.told(seeder)), [signal::ErrorCode::Unexpected]);
}

#[test]
fn local_names_are_rewritten_in_both_directions_where_the_rule_allows() {
    let mut world = World::new();
    let (seeder_lan, leecher_lan): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let addr = |address| ClientAddr { rewrite_to: Some(address), ..ClientAddr::at(address) };
    let seeder = world.tracker.handle_join(world.now_ms, addr(seeder_lan));
    world.register(seeder, None);
    world.held(seeder, version(1), APP_BYTES);
    world.leave_offers(seeder, 1);
    world.told(seeder);
    let seeking = Seeking { addr: addr(leecher_lan), page: "/", manifest: version(1), wanted: 1, ticket: ticket(1) };
    let offers = world.tracker.offers_for(world.now_ms, &seeking, &Versions);
    assert_eq!(offers[0].description.candidates()[0].address, Address::Ip(seeder_lan));
    world.answer(ticket(1), &offers).unwrap();
    let told = world.told(seeder);
    let Some(TrackerToPeer::Answer { description, .. }) = told.last() else { panic!("{told:?}") };
    assert_eq!(description.candidates()[0].address, Address::Ip(leecher_lan));
}

#[test]
fn local_names_pass_untouched_where_the_rule_does_not() {
    let mut world = World::new();
    world.seeder(HERE);
    let (_, offer) = world.connected(HERE);
    assert!(offer.description.has_local_names());
}

/// A description that names these addresses.
fn naming(setup: &str, addresses: &[&str]) -> Description {
    let name = |address: &&str| format!(r#""u|{address}|50000|z|h""#);
    let names = addresses.iter().map(name).collect::<Vec<_>>().join(",");
    let local = r#""u|1a2b3c4d-0000-4000-8000-123456789abc.local|50000|zzzzz|h""#;
    Description::parse(&description(setup).serialise().replace(local, &names)).unwrap()
}

fn addresses(description: &Description) -> Vec<String> {
    description.candidates().iter().map(|candidate| candidate.address.to_string()).collect()
}

#[test]
fn nobody_is_pointed_at_a_third_party_by_an_offer_or_an_answer() {
    const VICTIM: &str = "192.0.43.8";
    for (leecher, near) in [("198.51.100.1", false), (HERE, true)] {
        let mut world = World::new();
        let seeder = world.join(HERE);
        world.register(seeder, None);
        world.held(seeder, version(1), APP_BYTES);
        let offer = signal::ReadyOffer { offer: 1, description: naming("actpass", &[VICTIM, HERE, "10.0.0.5"]) };
        world.say(seeder, PeerToTracker::Offers { offers: vec![offer] });
        world.told(seeder);
        let ticket = world.fresh_ticket();
        let offers = world.seek(leecher, ticket, 1);
        let private: &[&str] = if near { &["10.0.0.5"] } else { &[] };
        assert_eq!(addresses(&offers[0].description), [&[HERE], private].concat());
        let description = naming("active", &["10.0.0.5", VICTIM, leecher, "224.0.0.251"]);
        let answer = Answer { peer: seeder, offer: 1, description };
        world.tracker.handle_answers(world.now_ms, Answerer::Ticket(ticket), vec![answer]).unwrap();
        world.drain();
        let told = world.told(seeder);
        let relayed =
            told.iter().find_map(|message| if let TrackerToPeer::Answer { description, .. } = message { Some(description) } else { None });
        assert_eq!(addresses(relayed.unwrap()), [&[leecher], private].concat());
    }
}
