//! Whatever happens in whatever order: nothing panics, nothing unverified counts, and an origin that answers finishes the app.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::trace::{Input, Traced};
use crate::fetch::{Accepted, Fault, FetchOutput, PeerKey};
use crate::replay;

const PIECES: u32 = 40;
const PEERS: PeerKey = 5;

fn some_ids() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..PIECES + 3, 0..12)
}

fn peer() -> impl Strategy<Value = PeerKey> {
    0..PEERS
}

fn source() -> impl Strategy<Value = Option<PeerKey>> {
    prop::option::weighted(0.8, peer())
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        1 => prop::collection::vec(1..200_000_u32, 0..20).prop_map(|lens| Input::AddPieces { lens }),
        1 => some_ids().prop_map(|ids| Input::Held { ids }),
        3 => (peer(), some_ids()).prop_map(|(peer, ids)| Input::Dial { peer, ids }),
        2 => (peer(), some_ids()).prop_map(|(peer, ids)| Input::Promise { peer, ids }),
        4 => peer().prop_map(|peer| Input::Open { peer }),
        1 => peer().prop_map(|peer| Input::Closed { peer }),
        4 => (peer(), any::<bool>()).prop_map(|(peer, complete)| Input::Hello { peer, complete }),
        4 => (peer(), some_ids()).prop_map(|(peer, ids)| Input::Have { peer, ids }),
        3 => (peer(), some_ids()).prop_map(|(peer, ids)| Input::Refuse { peer, ids }),
        12 => (source(), 0..PIECES + 3, prop::bool::weighted(0.95)).prop_map(|(source, id, verified)| Input::Piece { source, id, verified }),
        1 => (peer(), prop_oneof![Just(Fault::Malformed), Just(Fault::Unasked)]).prop_map(|(peer, fault)| Input::Fault { peer, fault }),
        2 => some_ids().prop_map(|ids| Input::OriginFailed { ids }),
        8 => Just(Input::Timeout),
    ]
}

/// The same on a page that expects some pieces and demands others.
fn page_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        12 => input(),
        1 => prop::collection::vec(1..200_000_u32, 0..20).prop_map(|lens| Input::AddExpected { lens }),
        1 => some_ids().prop_map(|ids| Input::Demand { ids }),
    ]
}

/// The same in a crowd, with more peers.
fn crowd_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        10 => input(),
        1 => prop::bool::weighted(0.8).prop_map(|in_crowd| Input::Crowd { in_crowd }),
        2 => some_ids().prop_map(|ids| Input::Share { ids }),
        1 => (0..2 * PEERS, 0..4_u8, 0..4_u8).prop_map(|(peer, stripe, stripes)| Input::Beyond { peer, stripe, stripes }),
        1 => (PEERS..2 * PEERS).prop_map(|peer| Input::Open { peer }),
        1 => (PEERS..2 * PEERS, any::<bool>()).prop_map(|(peer, complete)| Input::Hello { peer, complete }),
        2 => (PEERS..2 * PEERS, some_ids()).prop_map(|(peer, ids)| Input::Have { peer, ids }),
        4 => (PEERS..2 * PEERS, 0..PIECES).prop_map(|(peer, id)| Input::Piece { source: Some(peer), id, verified: true }),
    ]
}

/// A piece goes through `accept` first, as the shell must.
fn play(traced: &mut Traced, now: u64, input: Input) -> Vec<FetchOutput> {
    let Input::Piece { source, id, .. } = input else { return traced.call(now, input).1 };
    let (accepted, mut outputs) = traced.call(now, Input::Accept { source, id });
    let next = match (accepted, source) {
        (Some(Accepted::Take { .. }), _) => input,
        (Some(Accepted::Unasked), Some(peer)) if id % 5 == 0 => Input::Fault { peer, fault: Fault::Unasked },
        _ => return outputs,
    };
    outputs.extend(traced.call(now, next).1);
    outputs
}

/// Answers every request to the origin until all is held; panics when that never comes.
fn finish(traced: &mut Traced, mut now: u64, mut asked: Vec<u32>) {
    for _ in 0..2_000 {
        let progress = traced.fetch.progress();
        if progress.held + traced.lacking().len() == progress.total {
            return;
        }
        let outputs = if let Some(id) = asked.pop() {
            if traced.is_held(id) { Vec::new() } else { play(traced, now, Input::Piece { source: None, id, verified: true }) }
        } else {
            now = traced.fetch.poll_timeout().expect("nothing under way and nothing to wait for").max(now);
            traced.call(now, Input::Timeout).1
        };
        asked.extend(asked_of_origin(&outputs));
    }
    panic!("an origin that answers did not finish it");
}

/// Plays the steps, each so many milliseconds after the one before, and then an honest origin.
fn play_to_the_end(traced: &mut Traced, steps: Vec<(u64, Input)>) {
    let mut now = 0;
    for (ms, input) in steps {
        now += ms;
        play(traced, now, input);
    }
    let owed = traced.owed_by(crate::fetch::Source::Origin);
    finish(traced, now, owed.into_iter().collect());
}

fn asked_of_origin(outputs: &[FetchOutput]) -> Vec<u32> {
    let asked = outputs.iter().filter_map(|output| if let FetchOutput::AskOrigin { ids } = output { Some(ids) } else { None });
    asked.flatten().map(|&id| replay::number(id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_keeps_the_invariants_and_finishes(
        lens in prop::collection::vec(1..200_000_u32, 1..PIECES as usize),
        steps in prop::collection::vec((0..500_u64, input()), 0..150),
        seed in any::<u32>(),
    ) {
        let mut traced = Traced::new(seed);
        traced.call(0, Input::Dial { peer: 0, ids: Vec::new() });
        traced.call(0, Input::AddPieces { lens });
        play_to_the_end(&mut traced, steps);
        prop_assert!(traced.fetch.progress().done);
    }

    #[test]
    fn any_order_of_events_on_a_page_that_expects_and_demands_does_too(
        lens in prop::collection::vec(1..200_000_u32, 1..PIECES as usize),
        expected in prop::collection::vec(1..200_000_u32, 1..PIECES as usize),
        steps in prop::collection::vec((0..500_u64, page_input()), 0..150),
        in_crowd in prop::bool::weighted(0.2),
        seed in any::<u32>(),
    ) {
        let mut traced = Traced::new(seed);
        traced.call(0, Input::Crowd { in_crowd });
        traced.call(0, Input::AddPieces { lens });
        traced.call(0, Input::AddExpected { lens: expected });
        play_to_the_end(&mut traced, steps);
        let total = traced.fetch.progress().total as u32;
        let now = 1_000_000;
        let outputs = traced.call(now, Input::Demand { ids: (0..total).collect() }).1;
        let mut owed = traced.owed_by(crate::fetch::Source::Origin);
        owed.extend(asked_of_origin(&outputs));
        finish(&mut traced, now, owed.into_iter().collect());
        prop_assert!(traced.fetch.progress().done);
    }

    #[test]
    fn any_order_of_events_in_a_crowd_does_too(
        lens in prop::collection::vec(1..200_000_u32, 1..PIECES as usize),
        steps in prop::collection::vec((0..1_500_u64, crowd_input()), 0..150),
        seed in any::<u32>(),
    ) {
        let mut traced = Traced::new(seed);
        traced.call(0, Input::Crowd { in_crowd: true });
        traced.call(0, Input::AddPieces { lens });
        play_to_the_end(&mut traced, steps);
        prop_assert!(traced.fetch.progress().done);
    }
}

#[test]
fn a_peer_that_is_dialled_anew_while_it_is_overdue_keeps_the_origin_from_nothing() {
    let mut traced = Traced::new(0);
    traced.call(0, Input::Dial { peer: 0, ids: Vec::new() });
    traced.call(0, Input::AddPieces { lens: vec![1] });
    play_to_the_end(&mut traced, vec![(350, Input::Timeout), (0, Input::Dial { peer: 0, ids: Vec::new() })]);
    assert!(traced.fetch.progress().done);
}

/// Not a property but its cousin for the other implementations: the same noise each time, as a trace.
#[test]
fn noise_is_answered_the_same_way_everywhere() {
    for seed in 1..=4_u32 {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut traced = Traced::new(seed);
        let mut now = 0;
        let steps = prop::collection::vec((0..300_u64, input()), 200);
        traced.call(now, Input::AddPieces { lens: (1..=PIECES / seed).map(|at| at * 4_000).collect() });
        for _ in 0..seed {
            let _ = steps.new_tree(&mut runner).unwrap();
        }
        for (ms, input) in steps.new_tree(&mut runner).unwrap().current() {
            now += ms;
            play(&mut traced, now, input);
        }
        traced.check(&format!("noise-{seed}"));
    }
}

#[test]
fn noise_on_a_page_that_expects_and_demands_is_answered_the_same_way_everywhere() {
    for seed in 1..=4_u32 {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut traced = Traced::new(seed);
        let mut now = 0;
        let steps = prop::collection::vec((0..300_u64, page_input()), 200);
        traced.call(now, Input::AddPieces { lens: (1..=PIECES / seed / 2).map(|at| at * 4_000).collect() });
        traced.call(now, Input::AddExpected { lens: (1..=PIECES / seed / 2).map(|at| at * 4_000).collect() });
        for _ in 0..seed {
            let _ = steps.new_tree(&mut runner).unwrap();
        }
        for (ms, input) in steps.new_tree(&mut runner).unwrap().current() {
            now += ms;
            play(&mut traced, now, input);
        }
        traced.check(&format!("demand-noise-{seed}"));
    }
}

#[test]
fn noise_in_a_crowd_is_answered_the_same_way_everywhere() {
    for seed in 1..=4_u32 {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut traced = Traced::new(seed * 1_000_003);
        let mut now = 0;
        let steps = prop::collection::vec((0..800_u64, crowd_input()), 200);
        traced.call(now, Input::Crowd { in_crowd: true });
        traced.call(now, Input::AddPieces { lens: (1..=PIECES).map(|at| at * 4_000).collect() });
        for _ in 0..seed {
            let _ = steps.new_tree(&mut runner).unwrap();
        }
        for (ms, input) in steps.new_tree(&mut runner).unwrap().current() {
            now += ms;
            play(&mut traced, now, input);
        }
        traced.check(&format!("crowd-noise-{seed}"));
    }
}
