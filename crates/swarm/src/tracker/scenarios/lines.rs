//! Members of a crowd who share a line are given few peers beyond it.

use super::*;

const ELSEWHERE: &str = "198.51.100.9";

/// A member of the crowd comes with so many offers, and asks what to take from the origin.
fn comes(world: &mut World, address: &str, offers: u32) -> (PeerNumber, Vec<u32>) {
    let peer = world.join(address);
    world.register(peer, None);
    let offers = world.leave_offers(peer, offers);
    world.say(peer, PeerToTracker::Share { manifest: version(1), done: 0 });
    (peer, offers)
}

/// The peers that it is given where it looks for four.
fn finds(world: &mut World, peer: PeerNumber) -> Vec<PeerNumber> {
    world.told(peer);
    world.say(peer, PeerToTracker::Find { manifest: Some(version(1)), count: 4 });
    let peers = |message| if let TrackerToPeer::Peers { offers } = message { Some(World::peers(&offers)) } else { None };
    world.told(peer).into_iter().find_map(peers).unwrap_or_default()
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
    (0..60).for_each(|_| drop(comes(&mut world, HERE, 0)));
    let (neighbour, offers) = comes(&mut world, HERE, 1);
    let (seeker, _) = comes(&mut world, HERE, 0);
    assert_eq!(finds(&mut world, seeker), [neighbour]);
    let answer = Answer { peer: neighbour, offer: offers[0], description: description("active") };
    world.say(seeker, PeerToTracker::Answers { answers: vec![answer], tell: false });
    world.wait(60_000);
    assert_eq!(finds(&mut world, seeker).len(), 4);
}
