//! One of a crowd that shares a line with neighbours: what it takes over it, and what it leaves to them. Each story is a trace, as in `scenarios`.

use std::collections::BTreeSet;

use super::crowd::{Crowd, LEN, wanted_of};
use super::trace::Input;
use super::world::{Peer, World};
use crate::fetch::config::{LEFT_MS, LEFT_RATE_MIN};
use crate::fetch::{FetchOutput, PeerKey, Source};

/// A peer behind another line.
const AFAR: PeerKey = 9;

/// Somebody with so many neighbours, who have nothing yet, and [`AFAR`], who has these; what that is asked for.
fn behind_a_line(neighbours: PeerKey, (stripe, stripes): (u8, u8), ids: &[u32]) -> (Crowd, Vec<u32>) {
    let (mut crowd, _) = Crowd::of(50);
    for peer in 0..neighbours {
        crowd.peer(peer, &[]);
    }
    crowd.call(Input::Open { peer: AFAR });
    crowd.call(Input::Beyond { peer: AFAR, stripe, stripes });
    crowd.call(Input::Hello { peer: AFAR, complete: false });
    let outputs = crowd.call(Input::Have { peer: AFAR, ids: ids.to_vec() });
    let mut wanted = wanted_of(&outputs, AFAR);
    wanted.sort_unstable();
    (crowd, wanted)
}

#[test]
fn of_what_comes_over_the_line_each_takes_its_stripe() {
    let (mut crowd, wanted) = behind_a_line(2, (1, 3), &[0, 1, 2, 3]);
    assert_eq!(wanted, [1]);
    let outputs = crowd.call(Input::Have { peer: AFAR, ids: vec![5, 4] });
    assert_eq!(wanted_of(&outputs, AFAR), [4]);
    crowd.traced.check("crowd-line");
}

#[test]
fn what_a_neighbour_has_does_not_come_over_the_line() {
    let (mut crowd, _) = behind_a_line(2, (0, 1), &[]);
    let near = wanted_of(&crowd.call(Input::Have { peer: 0, ids: vec![0, 1, 2, 3] }), 0);
    assert_eq!(near.len(), 2, "as much as fits");
    let outputs = crowd.call(Input::Have { peer: AFAR, ids: (0..5).collect() });
    assert_eq!(wanted_of(&outputs, AFAR), [4]);
    crowd.traced.check("crowd-line-near");
}

#[test]
fn who_was_given_no_stripe_asks_once_neighbours_gave_nothing_for_long_and_never_waits_again() {
    let (mut crowd, wanted) = behind_a_line(2, (3, 3), &[7, 8]);
    assert!(wanted.is_empty());
    assert!(wanted_of(&crowd.wait(LEFT_MS - 1), AFAR).is_empty());
    assert_eq!(wanted_of(&crowd.wait(1), AFAR).len(), 2);
    crowd.call(Input::Have { peer: 1, ids: vec![20] });
    crowd.arrive(Some(1), 20);
    crowd.arrive(Some(AFAR), 7);
    assert_eq!(wanted_of(&crowd.call(Input::Have { peer: AFAR, ids: vec![30] }), AFAR), [30]);
    crowd.traced.check("crowd-line-stalls");
}

#[test]
fn as_long_as_neighbours_give_enough_they_are_waited_for() {
    let (mut crowd, _) = behind_a_line(2, (3, 3), &[7, 8]);
    let won_ms = u64::from(LEN) * 1000 / LEFT_RATE_MIN;
    crowd.call(Input::Have { peer: 0, ids: vec![10, 11] });
    // Each piece wins the time that it may take, and no more: nobody holds others up by a piece now and then.
    crowd.wait(LEFT_MS - 1);
    for id in [10, 11] {
        crowd.arrive(Some(0), id);
        assert!(wanted_of(&crowd.wait(won_ms), AFAR).is_empty());
    }
    assert_eq!(wanted_of(&crowd.wait(1), AFAR).len(), 2);
    crowd.traced.check("crowd-line-waits");
}

#[test]
fn a_single_neighbour_is_left_nothing() {
    let (mut crowd, wanted) = behind_a_line(1, (3, 3), &[7, 8]);
    assert_eq!(wanted, [7, 8]);
    crowd.call(Input::Closed { peer: 0 });
    crowd.traced.check("crowd-line-of-two");
}

#[test]
fn neighbours_that_leave_are_left_nothing() {
    let (mut crowd, wanted) = behind_a_line(2, (3, 3), &[7, 8]);
    assert!(wanted.is_empty());
    assert_eq!(wanted_of(&crowd.call(Input::Closed { peer: 0 }), AFAR).len(), 2);
    crowd.traced.check("crowd-line-alone");
}

#[test]
fn the_stripe_that_is_told_last_holds_for_all_peers_behind_other_lines() {
    let (mut crowd, wanted) = behind_a_line(2, (3, 3), &[6, 7]);
    assert!(wanted.is_empty());
    crowd.call(Input::Open { peer: 10 });
    let outputs: Vec<FetchOutput> = crowd.call(Input::Beyond { peer: 10, stripe: 0, stripes: 3 });
    assert_eq!(wanted_of(&outputs, AFAR), [6]);
    // Who introduces this one and knows of no stripe takes none away.
    crowd.call(Input::Open { peer: 11 });
    crowd.call(Input::Beyond { peer: 11, stripe: 3, stripes: 3 });
    assert_eq!(wanted_of(&crowd.call(Input::Have { peer: AFAR, ids: vec![9, 10] }), AFAR), [9]);
    crowd.traced.check("crowd-line-told-anew");
}

#[test]
fn neighbours_that_lie_or_vanish_keep_nobody_from_what_is_beyond_the_line() {
    for seed in 1..=200_u32 {
        let mut world = World::new(seed);
        world.call(Input::Crowd { in_crowd: true });
        world.add_pieces(40);
        for key in 0..4 {
            let die = seed.wrapping_mul(2_654_435_761).rotate_left(key as u32 * 8) % 6;
            let neighbour = Peer {
                // All of them say that they have everything, or nothing.
                holds: (die < 2).then(BTreeSet::new),
                silent_after: if die == 2 { key as usize } else { usize::MAX },
                forges: (die == 3).then_some(0),
                refuses: die == 4,
                // A piece now and then.
                bytes_per_ms: if die == 5 { 2 } else { Peer::default().bytes_per_ms },
                closes_ms: (key == 3).then_some(2_000),
                ..Peer::default()
            };
            world.dial(key, neighbour);
        }
        world.dial(AFAR, Peer { bytes_per_ms: 100, ..Peer::default() });
        world.run_on(42);
        world.call(Input::Beyond { peer: AFAR, stripe: seed as u8 % 4, stripes: 3 });
        world.run(60_000);
        assert!(world.done_at.is_some(), "seed {seed}: {:?}", world.traced.fetch.progress());
        assert_eq!(world.from(Source::Origin), 0, "seed {seed}");
    }
}
