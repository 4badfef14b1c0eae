//! The search for a manifest in virtual time.

use super::*;
use crate::client::config::MANIFEST_WAIT_MS;

const FIRST: Digest = Digest([1; 32]);
const SECOND: Digest = Digest([2; 32]);

/// Visitors of a page's app that came with a full answer.
const PAGE: ManifestConfig = ManifestConfig { takes_page: true, follows: false, has_ticket: false, in_crowd: false };

/// Which manifest the origin is asked for now.
fn asked(manifests: &mut Manifests) -> Option<Digest> {
    manifests.poll().map(|ManifestOutput::Ask { manifest }| manifest)
}

/// Lets time pass; which manifest the origin is asked for then.
fn pass(manifests: &mut Manifests, now: u64) -> Option<Digest> {
    manifests.handle_timeout(now);
    asked(manifests)
}

fn given(manifests: &mut Manifests, digest: Digest) -> Option<bool> {
    manifests.handle_given(digest, crate::replay::manifest(&[1])).map(|given| given.unwrap())
}

#[test]
fn peers_have_a_third_of_a_second_to_give_the_manifest_before_the_origin_is_asked() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), MANIFEST_WAIT_MS);
    assert_eq!(manifests.poll_timeout(), Some(MANIFEST_WAIT_MS));
    assert_eq!(pass(&mut manifests, MANIFEST_WAIT_MS - 1), None);
    assert_eq!(pass(&mut manifests, MANIFEST_WAIT_MS), Some(FIRST));
    assert_eq!(given(&mut manifests, FIRST), Some(false), "a peer gave it after all");
    assert_eq!((manifests.poll_timeout(), manifests.sought()), (None, None));
    assert_eq!(manifests.current().map(|known| known.digest), Some(FIRST));
}

#[test]
fn who_has_no_peer_to_dial_asks_the_origin_at_once() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), 0);
    assert_eq!(pass(&mut manifests, 0), Some(FIRST));
}

#[test]
fn an_origin_that_failed_is_asked_again_every_second_but_never_twice_at_a_time() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), 0);
    assert_eq!(pass(&mut manifests, 0), Some(FIRST));
    assert_eq!(pass(&mut manifests, ORIGIN_PROBE_MS), None, "it did not answer yet");
    manifests.handle_origin(FIRST);
    assert_eq!(pass(&mut manifests, 2 * ORIGIN_PROBE_MS - 1), None);
    assert_eq!(pass(&mut manifests, 2 * ORIGIN_PROBE_MS), Some(FIRST));
}

#[test]
fn the_tracker_names_the_manifest_for_who_was_told_none() {
    let mut manifests = Manifests::new(PAGE, None, 0);
    assert_eq!((manifests.poll_timeout(), manifests.wanted()), (None, None));
    assert_eq!(manifests.handle_named(10, FIRST), Some(Named { renamed: false, awaited: false }));
    assert_eq!((asked(&mut manifests), manifests.wanted()), (Some(FIRST), Some(FIRST)));
    assert_eq!(manifests.handle_named(11, FIRST), None, "it is looked for already");
}

#[test]
fn one_of_a_crowd_waits_for_others_longer() {
    let mut manifests = Manifests::new(ManifestConfig { in_crowd: true, ..PAGE }, None, 0);
    assert_eq!(manifests.handle_named(100, FIRST), Some(Named { renamed: false, awaited: true }));
    assert_eq!((asked(&mut manifests), manifests.poll_timeout()), (None, Some(100 + CROWD_MANIFEST_WAIT_MS)));
    manifests.ask(200);
    assert_eq!(asked(&mut manifests), Some(FIRST), "nobody is left to wait for");
}

#[test]
fn a_manifest_that_is_outdated_when_it_is_asked_for_gives_way_to_the_new_one() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), 0);
    assert_eq!(pass(&mut manifests, 0), Some(FIRST));
    assert_eq!(manifests.handle_named(50, SECOND), Some(Named { renamed: true, awaited: false }));
    assert_eq!(asked(&mut manifests), Some(SECOND));
    manifests.handle_origin(FIRST);
    assert_eq!(given(&mut manifests, FIRST), None, "it is of no use any more");
    assert_eq!(given(&mut manifests, SECOND), Some(false));
}

#[test]
fn only_who_follows_goes_over_to_another_version() {
    for (follows, has_ticket) in [(false, false), (true, false), (true, true)] {
        let mut manifests = Manifests::new(ManifestConfig { follows, has_ticket, ..PAGE }, Some(FIRST), 0);
        given(&mut manifests, FIRST);
        assert_eq!(manifests.handle_named(10, SECOND).is_some(), follows);
        assert_eq!(given(&mut manifests, SECOND), follows.then_some(true), "it replaces the first");
        assert!(manifests.get(&FIRST).is_some(), "earlier ones are still served");
    }
}

#[test]
fn who_came_with_a_ticket_stays_with_what_its_visit_named() {
    let mut manifests = Manifests::new(ManifestConfig { has_ticket: true, ..PAGE }, Some(FIRST), MANIFEST_WAIT_MS);
    assert_eq!(manifests.handle_named(10, SECOND), None);
    let mut single = Manifests::new(ManifestConfig { takes_page: false, ..PAGE }, None, 0);
    assert_eq!(single.handle_named(10, FIRST), None, "who wants one asset needs no manifest");
}

#[test]
fn what_is_no_manifest_is_not_looked_for_again() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), 0);
    assert!(manifests.handle_given(FIRST, b"nonsense".to_vec()).is_some_and(|given| given.is_err()));
    assert_eq!((manifests.sought(), manifests.poll_timeout()), (None, None));
}

#[test]
fn a_few_manifests_are_remembered() {
    let mut manifests = Manifests::new(ManifestConfig { follows: true, ..PAGE }, None, 0);
    for version in 0..=MANIFESTS_MAX {
        let digest = Digest([10 + u8::try_from(version).unwrap(); 32]);
        manifests.handle_named(0, digest);
        given(&mut manifests, digest);
        assert_eq!(manifests.iter().count(), (version + 1).min(MANIFESTS_MAX));
    }
    assert!(manifests.get(&Digest([10; 32])).is_none(), "the oldest is forgotten");
}

#[test]
fn pieces_that_come_before_the_manifest_are_kept_up_to_a_limit() {
    let mut manifests = Manifests::new(PAGE, Some(FIRST), MANIFEST_WAIT_MS);
    let piece = |len| ArrivedPiece { peer: 1, id: crate::replay::id(1), encoding: Encoding::Raw, body: vec![0; len] };
    assert!(manifests.is_early());
    assert!(manifests.keep_early(piece(EARLY_BYTES_MAX)));
    assert!(!manifests.keep_early(piece(1)));
    given(&mut manifests, FIRST);
    assert_eq!((manifests.is_early(), manifests.take_early().len(), manifests.take_early().len()), (false, 1, 0));
}
