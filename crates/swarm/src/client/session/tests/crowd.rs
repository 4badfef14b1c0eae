//! One of a crowd: whom it waits for, and what it takes from the origin.

use super::*;

#[test]
fn one_of_a_crowd_that_knows_nobody_asks_for_a_lease_before_it_has_the_manifest() {
    let mut visitor = Visitor::new(|config| config.in_crowd = true, 0);
    let words: Vec<String> = visitor.session.registration().iter().skip(1).map(words).collect();
    assert_eq!(words, ["find 4"], "whoever finds any has the manifest from them");
    visitor.hears(welcome());
    let named = visitor.hears(named());
    assert!(named.contains(&"held 0".to_owned()) && named.contains(&"make 2 offers".to_owned()), "it gives what it will have: {named:?}");
    assert_eq!(visitor.hears(TrackerToPeer::Peers { offers: Vec::new() }), ["share 0"]);
    let lease = TrackerToPeer::Share { manifest: digest(), pieces: vec![1] };
    assert_eq!(visitor.hears(lease), ["ask origin for manifest"]);
    assert!(visitor.is_given_manifest().contains(&"ask origin for 1".to_owned()), "only its lease");
}

#[test]
fn one_of_a_crowd_with_peers_waits_for_the_manifest_from_them() {
    let mut visitor = Visitor::new(|config| config.in_crowd = true, 0);
    visitor.hears(welcome());
    visitor.hears(named());
    let offer = Offer { peer: peer(7), offer: 1, description: description(), push: None, far: false, beyond: None };
    assert_eq!(visitor.hears(TrackerToPeer::Peers { offers: vec![offer] }), ["dial 1"]);
    let asked: Vec<u64> = visitor.passes(20_000).into_iter().filter(|(_, what)| what.starts_with("ask origin")).map(|(at, _)| at).collect();
    assert_eq!(asked.first(), Some(&CROWD_MANIFEST_WAIT_MS));
}

#[test]
fn when_the_last_one_to_wait_for_is_gone_the_lease_is_asked_for() {
    let mut visitor = Visitor::new(|config| config.in_crowd = true, 0);
    visitor.hears(welcome());
    visitor.hears(named());
    let offer = Offer { peer: peer(7), offer: 1, description: description(), push: None, far: false, beyond: None };
    visitor.hears(TrackerToPeer::Peers { offers: vec![offer] });
    let gone = visitor.does(|session, now| session.handle_closed(now, 7));
    assert!(gone.contains(&"closed 7".to_owned()) && gone.contains(&"share 0".to_owned()), "{gone:?}");
}

#[test]
fn a_lost_tracker_ends_leases_and_offers_but_no_connection() {
    let mut visitor = Visitor::new(
        |config| {
            config.in_crowd = true;
            config.manifest = Some(digest());
        },
        0,
    );
    assert_eq!(visitor.session.registration().last().map(words), Some("share 0".to_owned()));
    visitor.hears(welcome());
    let offer = Offer { peer: peer(7), offer: 1, description: description(), push: None, far: false, beyond: None };
    visitor.hears(TrackerToPeer::Peers { offers: vec![offer] });
    let lost = visitor.does(Session::handle_lost);
    assert_eq!(lost, ["withdraw offers"]);
    assert_eq!(visitor.session.registration().len(), 1);
    assert!(visitor.opens(7).iter().all(|what| !what.starts_with("opened")), "nobody is there to be told");
    assert_eq!(visitor.session.opened(), 1);
}
