//! Members of a crowd who share a line are given few peers beyond it.

use viral_wire::signal::Beyond;

use super::*;
use crate::limits::{GATEWAY_MS, GATEWAYS_PER_LINE};

const ELSEWHERE: &str = "198.51.100.9";

/// A member of the crowd comes with so many offers, and asks what to take from the origin.
fn comes(world: &mut World, address: &str, offers: u32) -> (PeerNumber, Vec<u32>) {
    let peer = world.join(address);
    world.register(peer, None);
    let offers = world.leave_offers(peer, offers);
    world.say(peer, PeerToTracker::Share { manifest: version(1), done: 0 });
    (peer, offers)
}

/// The offers that it is given where it looks for four.
fn offers(world: &mut World, peer: PeerNumber) -> Vec<Offer> {
    world.told(peer);
    world.say(peer, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    let offers = |message| if let TrackerToPeer::Peers { offers } = message { Some(offers) } else { None };
    world.told(peer).into_iter().find_map(offers).unwrap_or_default()
}

/// The peers that made them.
fn finds(world: &mut World, peer: PeerNumber) -> Vec<PeerNumber> {
    World::peers(&offers(world, peer))
}

/// Members of an office, none of whom makes an offer, and what they are told of strangers.
fn crossing(world: &mut World, members: &[PeerNumber]) -> Vec<Option<(u8, u8)>> {
    let told = |offers: Vec<Offer>| offers.first().and_then(|offer| offer.beyond).map(|beyond| (beyond.stripe, beyond.stripes));
    members.iter().map(|&member| told(offers(world, member))).collect()
}

#[test]
fn of_two_offices_that_come_at_once_few_meet_the_other_one() {
    let mut world = World::new();
    let (mut offices, mut pairs) = (BTreeMap::new(), Vec::new());
    for number in 0..30 {
        let (peer, _) = comes(&mut world, if number % 2 == 0 { HERE } else { ELSEWHERE }, 2);
        offices.insert(peer, number % 2);
        pairs.extend(finds(&mut world, peer).into_iter().map(|other| (peer, other)));
    }
    let (near, far): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(peer, other)| offices[peer] == offices[other]);
    assert!((1..=8).contains(&far.len()) && near.len() > 20, "{} near, {} far", near.len(), far.len());
}

#[test]
fn who_shares_a_line_with_nobody_is_given_strangers() {
    let mut world = World::new();
    for number in 0..8 {
        comes(&mut world, &format!("192.0.{number}.1"), 2);
    }
    let (alone, _) = comes(&mut world, HERE, 2);
    assert_eq!(finds(&mut world, alone).len(), 4);
}

#[test]
fn who_could_not_reach_a_neighbour_is_given_strangers() {
    let mut world = World::new();
    for number in 0..20 {
        comes(&mut world, &format!("192.0.{number}.1"), 2);
    }
    for number in 0..60 {
        let (peer, _) = comes(&mut world, HERE, 0);
        if number < GATEWAYS_PER_LINE {
            assert_eq!(finds(&mut world, peer).len(), 4);
        }
    }
    let (neighbour, offers) = comes(&mut world, HERE, 1);
    let (seeker, _) = comes(&mut world, HERE, 0);
    assert_eq!(finds(&mut world, seeker), [neighbour]);
    let answer = Answer { peer: neighbour, offer: offers[0], description: description("active") };
    world.say(seeker, PeerToTracker::Answers { answers: vec![answer], tell: None });
    world.wait(60_000);
    assert_eq!(finds(&mut world, seeker).len(), 4);
}

fn strangers_come(world: &mut World, first: u32) {
    for number in first..first + 40 {
        comes(world, &format!("192.0.{number}.1"), 4);
    }
}

/// A world with strangers, each at a line of its own, and so many of one office.
fn office(count: usize) -> (World, Vec<PeerNumber>) {
    let mut world = World::new();
    strangers_come(&mut world, 0);
    let members = (0..count).map(|_| comes(&mut world, HERE, 0).0).collect();
    (world, members)
}

#[test]
fn few_behind_a_line_are_connected_beyond_it_each_for_its_stripe() {
    let (mut world, members) = office(6);
    assert_eq!(crossing(&mut world, &members), [Some((0, 3)), Some((1, 3)), Some((2, 3)), None, None, None]);
    assert_eq!(crossing(&mut world, &members[1..4]), [Some((1, 3)), Some((2, 3)), None], "who is connected beyond it may be once more");
}

#[test]
fn whose_place_is_free_another_takes() {
    let (mut world, members) = office(6);
    crossing(&mut world, &members);
    world.tracker.handle_leave(world.now_ms, members[1]);
    assert_eq!(crossing(&mut world, &members[3..]), [Some((1, 3)), None, None]);
    world.wait(GATEWAY_MS);
    strangers_come(&mut world, 100);
    let told = crossing(&mut world, &members[4..]);
    assert!(told.iter().all(Option::is_some), "it may have reached nobody: {told:?}");
}

#[test]
fn the_maker_of_an_offer_hears_of_its_stripe_and_neighbours_of_none() {
    let mut world = World::new();
    let (stranger, _) = comes(&mut world, ELSEWHERE, 0);
    let (maker, numbers) = comes(&mut world, HERE, 2);
    let (neighbour, _) = comes(&mut world, HERE, 0);
    for (seeker, offer, beyond) in [(stranger, numbers[0], true), (neighbour, numbers[1], false)] {
        let given = offers(&mut world, seeker);
        assert_eq!((World::peers(&given), given[0].offer, given[0].beyond.is_some()), (vec![maker], offer, beyond));
        world.told(maker);
        let answer = Answer { peer: maker, offer, description: description("active") };
        world.say(seeker, PeerToTracker::Answers { answers: vec![answer], tell: None });
        let told = |message| if let TrackerToPeer::Answer { beyond, .. } = message { Some(beyond) } else { None };
        let heard = world.told(maker).into_iter().find_map(told);
        assert_eq!(heard, Some(beyond.then_some(Beyond { stripe: 0, stripes: 3 })));
    }
}
