//! The first lease of one of a crowd; the stories are traces for the other implementations.

use serde_json::{Value, json};

use super::*;
use crate::replay;

const MANIFEST: Digest = Digest([7; 32]);

/// One call, as it stands in a trace.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Lost,
    Renamed,
    Welcome,
    Unsent,
    Alone { live: bool },
    Early { places: Vec<u32> },
    Given { places: Vec<u32> },
    Wanted { done: u32, live: bool },
}

struct Traced {
    leases: Leases,
    head: Value,
    steps: Vec<Value>,
}

impl Traced {
    fn new(in_crowd: bool, asks_at_once: bool, is_first: bool) -> Self {
        let head = json!({ "inCrowd": in_crowd, "asksAtOnce": asks_at_once, "isFirst": is_first, "manifest": MANIFEST });
        Self { leases: Leases::new(in_crowd, asks_at_once, is_first), head, steps: Vec::new() }
    }

    fn call(&mut self, input: Input) -> Vec<LeaseOutput> {
        let mut answer = None;
        match input.clone() {
            Input::Lost => self.leases.handle_lost(),
            Input::Renamed => answer = Some(self.leases.handle_renamed()),
            Input::Welcome => self.leases.handle_welcome(),
            Input::Unsent => self.leases.handle_unsent(),
            Input::Alone { live } => self.leases.handle_alone(MANIFEST, live),
            Input::Early { places } => answer = Some(self.leases.handle_early(places)),
            Input::Given { places } => self.leases.handle_given(MANIFEST, places),
            Input::Wanted { done, live } => self.leases.handle_wanted(MANIFEST, done, live),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| self.leases.poll()).collect();
        let waits = [false, true].map(|live| self.leases.is_leasing(live));
        self.steps.push(json!({ "input": input, "answer": answer, "outputs": outputs, "asked": self.leases.is_asked(), "leasing": waits }));
        outputs
    }

    fn wanted(&mut self, done: u32) -> Vec<LeaseOutput> {
        self.call(Input::Wanted { done, live: true })
    }

    fn alone(&mut self) -> Vec<LeaseOutput> {
        self.call(Input::Alone { live: true })
    }

    fn check(&self, name: &str) {
        replay::check("session/leases", name, &self.head, &self.steps);
    }
}

fn ask(done: u32) -> LeaseOutput {
    LeaseOutput::Ask { manifest: MANIFEST, done }
}

fn take(places: &[u32]) -> LeaseOutput {
    LeaseOutput::Take { manifest: MANIFEST, places: places.to_vec() }
}

#[test]
fn who_knows_the_manifest_and_meets_nobody_asks_with_the_registration() {
    let mut leases = Traced::new(true, true, false);
    assert!(leases.leases.is_asked() && leases.leases.is_leasing(false), "the session will ask");
    assert_eq!(leases.wanted(0), [], "the answer is on its way");
    assert_eq!(leases.call(Input::Given { places: vec![3, 4] }), [take(&[3, 4])]);
    leases.check("at-once");
}

#[test]
fn who_is_alone_asks_for_a_lease_and_for_the_manifest_once_it_is_granted_one() {
    let mut leases = Traced::new(true, false, false);
    assert_eq!(leases.alone(), [ask(0)]);
    assert_eq!(leases.alone(), [], "asked once");
    assert_eq!(leases.call(Input::Early { places: vec![1, 2] }), [LeaseOutput::AskManifest]);
    assert_eq!(leases.wanted(0), [take(&[1, 2])], "it was given before the manifest was here");
    leases.check("alone");
}

#[test]
fn who_is_given_nothing_waits_for_others_as_long_as_there_are_any() {
    let mut leases = Traced::new(true, false, false);
    assert_eq!(leases.alone(), [ask(0)]);
    assert_eq!(leases.call(Input::Early { places: Vec::new() }), [], "somebody who has the manifest will come");
    assert_eq!(leases.alone(), [LeaseOutput::AskManifest], "nobody is left");
    leases.check("empty");
}

#[test]
fn who_is_alone_without_a_session_asks_the_origin_for_the_manifest() {
    let mut leases = Traced::new(true, false, false);
    assert_eq!(leases.call(Input::Alone { live: false }), [LeaseOutput::AskManifest]);
    leases.check("no-session");
}

#[test]
fn who_has_the_manifest_of_a_neighbour_before_the_session_waits_for_it() {
    let mut leases = Traced::new(true, false, false);
    assert!(leases.leases.is_leasing(false), "the session is on its way");
    leases.call(Input::Wanted { done: 0, live: false });
    assert_eq!(leases.call(Input::Welcome), [ask(0)]);
    leases.call(Input::Lost);
    assert!(!leases.leases.is_leasing(false), "nobody grants anything");
    leases.check("before-the-session");
}

#[test]
fn a_lost_session_ends_all_waiting_for_a_first_lease() {
    let mut leases = Traced::new(true, true, false);
    leases.call(Input::Lost);
    assert!(!leases.leases.is_asked() && !leases.leases.is_leasing(false));
    assert_eq!(leases.call(Input::Alone { live: false }), [LeaseOutput::AskManifest]);
    assert!(leases.leases.is_leasing(true), "a new session grants leases to a download that asks");
    assert_eq!(leases.wanted(5), [ask(5)]);
    leases.call(Input::Lost);
    assert_eq!(leases.call(Input::Welcome), [ask(0)], "the reply never came");
    leases.call(Input::Given { places: vec![1] });
    leases.call(Input::Lost);
    assert_eq!(leases.call(Input::Welcome), []);
    leases.check("lost");
}

#[test]
fn another_manifest_is_asked_for_anew() {
    let mut leases = Traced::new(true, true, false);
    leases.call(Input::Renamed);
    assert_eq!(leases.alone(), [ask(0)], "the registration names it");
    leases.call(Input::Given { places: vec![1] });
    leases.call(Input::Renamed);
    assert!(!leases.leases.is_asked(), "the download asks by itself");
    leases.check("renamed");
}

#[test]
fn a_wish_with_something_done_does_not_wait_for_the_first_answer() {
    let mut leases = Traced::new(true, true, false);
    assert_eq!(leases.wanted(2), [ask(2)]);
    assert_eq!(leases.wanted(1), [ask(1)]);
    leases.check("done");
}

#[test]
fn who_cannot_ask_because_the_socket_is_full_takes_the_manifest_from_the_origin() {
    let mut leases = Traced::new(true, false, false);
    assert_eq!(leases.alone(), [ask(0)]);
    assert_eq!(leases.call(Input::Unsent), [LeaseOutput::AskManifest]);
    assert_eq!(leases.alone(), [ask(0)], "next time it may have room");
    leases.check("unsent");
}

#[test]
fn who_comes_first_begins_at_once_and_asks_for_more_once_there_is_a_session() {
    let mut leases = Traced::new(true, true, true);
    assert!(!leases.leases.is_asked() && leases.leases.is_leasing(false), "it has pieces before it has a session");
    let first: Vec<u32> = (0..LEASE_FIRST_PIECES).collect();
    assert_eq!(leases.call(Input::Wanted { done: 0, live: false }), [take(&first)]);
    assert_eq!(leases.call(Input::Wanted { done: 0, live: false }), [], "nobody hears it yet");
    assert_eq!(leases.call(Input::Welcome), [ask(0)]);
    assert_eq!(leases.call(Input::Welcome), []);
    leases.call(Input::Wanted { done: 3, live: false });
    leases.call(Input::Lost);
    assert_eq!(leases.call(Input::Welcome), [ask(3)], "what was done counts in a new session, too");
    leases.check("first");
}

#[test]
fn who_is_none_of_a_crowd_neither_asks_nor_waits() {
    let mut leases = Traced::new(false, true, true);
    assert!(!leases.leases.is_asked() && !leases.leases.is_leasing(true));
    assert_eq!(leases.alone(), []);
    leases.check("no-crowd");
}
