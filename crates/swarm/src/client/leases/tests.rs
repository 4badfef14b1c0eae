//! The first lease of one of a crowd.

use super::*;

const MANIFEST: Digest = Digest([7; 32]);

fn said(leases: &mut Leases) -> Vec<LeaseOutput> {
    std::iter::from_fn(|| leases.poll()).collect()
}

fn ask(done: u32) -> LeaseOutput {
    LeaseOutput::Ask { manifest: MANIFEST, done }
}

fn take(places: &[u32]) -> LeaseOutput {
    LeaseOutput::Take { manifest: MANIFEST, places: places.to_vec() }
}

#[test]
fn who_knows_the_manifest_and_meets_nobody_asks_with_the_registration() {
    let mut leases = Leases::new(true, true);
    assert!(leases.is_asked() && leases.is_leasing(false), "the session will ask");
    leases.handle_wanted(MANIFEST, 0);
    assert_eq!(said(&mut leases), [], "the answer is on its way");
    leases.handle_given(MANIFEST, vec![3, 4]);
    assert_eq!(said(&mut leases), [take(&[3, 4])]);
}

#[test]
fn who_is_alone_asks_for_a_lease_and_for_the_manifest_once_it_is_granted_one() {
    let mut leases = Leases::new(true, false);
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [ask(0)]);
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [], "asked once");
    assert!(!leases.handle_early(vec![1, 2]));
    assert_eq!(said(&mut leases), [LeaseOutput::AskManifest]);
    leases.handle_wanted(MANIFEST, 0);
    assert_eq!(said(&mut leases), [take(&[1, 2])], "it was given before the manifest was here");
}

#[test]
fn who_is_given_nothing_waits_for_others_as_long_as_there_are_any() {
    let mut leases = Leases::new(true, false);
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [ask(0)]);
    assert!(leases.handle_early(Vec::new()));
    assert_eq!(said(&mut leases), [], "somebody who has the manifest will come");
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [LeaseOutput::AskManifest], "nobody is left");
}

#[test]
fn who_is_alone_without_a_session_asks_the_origin_for_the_manifest() {
    let mut leases = Leases::new(true, false);
    leases.handle_alone(MANIFEST, false);
    assert_eq!(said(&mut leases), [LeaseOutput::AskManifest]);
}

#[test]
fn a_lost_session_ends_all_waiting_for_a_first_lease() {
    let mut leases = Leases::new(true, true);
    leases.handle_lost();
    assert!(!leases.is_asked() && !leases.is_leasing(false));
    leases.handle_alone(MANIFEST, false);
    assert_eq!(said(&mut leases), [LeaseOutput::AskManifest]);
    assert!(leases.is_leasing(true), "a new session grants leases to a download that asks");
    leases.handle_wanted(MANIFEST, 5);
    assert_eq!(said(&mut leases), [ask(5)]);
}

#[test]
fn another_manifest_is_asked_for_anew() {
    let mut leases = Leases::new(true, true);
    assert!(leases.handle_renamed(), "the registration names it");
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [ask(0)]);
    leases.handle_given(MANIFEST, vec![1]);
    assert!(!leases.handle_renamed(), "the download asks by itself");
}

#[test]
fn a_wish_with_something_done_does_not_wait_for_the_first_answer() {
    let mut leases = Leases::new(true, true);
    leases.handle_wanted(MANIFEST, 2);
    assert_eq!(said(&mut leases), [ask(2)]);
    leases.handle_wanted(MANIFEST, 1);
    assert_eq!(said(&mut leases), [ask(1)]);
}

#[test]
fn who_cannot_ask_because_the_socket_is_full_takes_the_manifest_from_the_origin() {
    let mut leases = Leases::new(true, false);
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [ask(0)]);
    leases.handle_unsent();
    assert_eq!(said(&mut leases), [LeaseOutput::AskManifest]);
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), [ask(0)], "next time it may have room");
}

#[test]
fn who_is_none_of_a_crowd_neither_asks_nor_waits() {
    let mut leases = Leases::new(false, true);
    assert!(!leases.is_asked() && !leases.is_leasing(true));
    leases.handle_alone(MANIFEST, true);
    assert_eq!(said(&mut leases), []);
}
