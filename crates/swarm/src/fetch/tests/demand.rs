//! What the page expects comes from peers only and last; what it demands comes first and from anybody. Each story is a trace, as in `scenarios`.

use std::collections::BTreeSet;

use super::trace::Input;
use super::world::{Peer, World};
use crate::fetch::config::{DIAL_MS, HEDGE_LEN_EXTRA, OPEN_MS, ORIGIN_IDS_MAX, WINDOW_LEN_START};
use crate::fetch::{Fault, Source};

const LEN: u32 = 32 * 1024;

/// A page with so many critical and so many expected pieces, a moment after it dialled these peers.
fn page<const N: usize>(critical: usize, expected: usize, peers: [Peer; N]) -> World {
    let mut world = World::new(1);
    for (key, peer) in (0..).zip(peers) {
        world.dial(key, peer);
    }
    world.now += 2;
    world.add_pieces(critical);
    world.add_expected(expected);
    world
}

/// When the piece was held.
fn held_at(world: &mut World, id: u32, until: u64) -> Option<u64> {
    while !world.traced.is_held(id) && world.step(until) {}
    world.traced.is_held(id).then_some(world.now)
}

#[test]
fn expected_pieces_come_from_peers_behind_all_others_and_never_from_the_origin() {
    let mut world = page(20, 20, [Peer::default(), Peer::default()]);
    world.run(45);
    let owed: BTreeSet<u32> = (0..2).flat_map(|key| world.traced.owed_by(Source::Peer(key))).collect();
    assert!(owed.iter().all(|&id| id < 20), "first the critical ones: {owed:?}");
    world.run(5_000);
    assert!(world.done_at.is_some(), "a complete peer holds the expected ones, too");
    assert_eq!((world.origin_requests, world.need_peers), (0, 0));
    world.traced.check("expected");
}

#[test]
fn without_peers_expected_pieces_are_left_alone_and_nobody_is_called() {
    let mut world = page(10, 10, []);
    world.run_on(5_000);
    assert_eq!(world.from(Source::Origin), 10 * u64::from(LEN), "the critical ones");
    assert_eq!((world.origin_requests, world.need_peers), (1, 1), "called once, for the critical ones");
    assert_eq!(world.traced.fetch.poll_timeout(), None, "there is nothing to wait for");
    world.call(Input::Demand { ids: vec![15, 12, 30] });
    world.run_on(6_000);
    assert_eq!(world.from(Source::Origin), 12 * u64::from(LEN), "and what was demanded");
    assert_eq!(world.need_peers, 2);
    world.traced.check("expected-alone");
}

#[test]
fn a_silent_peer_costs_no_hedge_for_what_is_only_expected() {
    let mut world = page(0, 40, [Peer { silent_after: 4, holds: Some((0..40).collect()), ..Peer::default() }]);
    world.run_on(5_000);
    assert_eq!(world.drops, [(0, Fault::Silent)]);
    assert_eq!((world.origin_requests, world.need_peers), (0, 0));
    world.traced.check("expected-silent");
}

#[test]
fn half_a_window_is_kept_free_of_what_is_only_expected() {
    let mut world = page(0, 400, [Peer { holds: Some((0..400).collect()), ..Peer::default() }]);
    world.run(60);
    let owed = world.traced.owed_by(Source::Peer(0)).len() as u64;
    assert_eq!(owed * u64::from(LEN), WINDOW_LEN_START / 2);
}

#[test]
fn demanded_pieces_come_first_in_the_order_of_their_first_demand() {
    let mut world = page(100, 100, [Peer { delay_ms: 1, ..Peer::default() }]);
    world.run(45);
    world.call(Input::Demand { ids: vec![150, 90] });
    world.call(Input::Demand { ids: vec![120, 90, 7_777] });
    world.run(46);
    let order: Vec<u64> = [150, 90, 120, 60].map(|id| held_at(&mut world, id, 5_000).unwrap()).to_vec();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order[2] < 46 + 250, "behind one window: {order:?}");
    world.call(Input::Demand { ids: vec![150] });
    world.run(5_000);
    assert!(world.done_at.is_some());
    assert_eq!((world.origin_requests, world.waste), (0, 0));
    world.traced.check("demand");
}

#[test]
fn a_demanded_piece_that_no_peer_holds_comes_from_the_origin_at_once() {
    let mut world = page(4, 4, [Peer { holds: Some((0..8).collect()), ..Peer::default() }]);
    world.run(2_000);
    assert!(world.done_at.take().is_some());
    world.add_expected(40);
    world.run_on(3_000);
    assert_eq!(world.origin_requests, 0, "they are expected, and the peer lacks them");
    let at = world.now;
    world.call(Input::Demand { ids: (8..40).collect() });
    assert_eq!(world.origin_requests, 2);
    assert_eq!(world.traced.owed_by(Source::Origin).len(), 2 * ORIGIN_IDS_MAX);
    assert!(held_at(&mut world, 8, 5_000).is_some_and(|held| held < at + 60));
    world.traced.check("demand-origin");
}

#[test]
fn what_a_lost_peer_owed_of_a_demand_comes_from_the_origin() {
    let mut world = page(10, 60, [Peer { bytes_per_ms: 200, closes_ms: Some(3_000), ..Peer::default() }]);
    world.run(2_500);
    assert!((0..10).all(|id| world.traced.is_held(id)));
    world.call(Input::Demand { ids: (50..70).collect() });
    world.run_on(10_000);
    assert!((50..70).all(|id| world.traced.is_held(id)));
    assert_eq!(world.from(Source::Origin) % u64::from(LEN), 0);
    assert!(world.from(Source::Origin) > 0 && world.from(Source::Origin) <= 20 * u64::from(LEN), "what was demanded and no more");
    assert!(world.done_at.is_none(), "what is only expected is still missing");
    world.traced.check("demand-peer-lost");
}

#[test]
fn a_demand_on_what_a_silent_peer_owes_is_hedged_when_it_is_overdue() {
    let mut world = page(0, 40, [Peer { silent_after: 0, ..Peer::default() }]);
    world.run_on(200);
    let owed = world.traced.owed_by(Source::Peer(0));
    assert_eq!(owed, (0..4).collect());
    world.call(Input::Demand { ids: vec![1, 30] });
    assert_eq!(world.traced.owed_by(Source::Peer(0)), [0, 1, 2, 3, 30].into(), "the request stays where it is");
    world.run_on(439);
    assert_eq!(world.origin_requests, 0);
    world.run_on(600);
    assert_eq!(world.traced.owed_by(Source::Origin), [].into());
    assert_eq!(world.from(Source::Origin), 2 * u64::from(LEN), "what was demanded, at the time when a peer is late");
    world.run_on(5_000);
    assert_eq!(world.from(Source::Origin), 2 * u64::from(LEN));
    world.traced.check("demand-silent-peer");
}

#[test]
fn a_demand_waits_for_a_dialled_peer_as_wanted_pieces_do() {
    let mut world = page(0, 10, [Peer { opens_ms: None, ..Peer::default() }]);
    world.call(Input::Demand { ids: vec![3] });
    world.run_on(DIAL_MS + OPEN_MS - 1);
    assert_eq!(world.origin_requests, 0);
    world.run_on(5_000);
    assert_eq!(world.from(Source::Origin), u64::from(LEN));
    world.traced.check("demand-dead-dial");
}

#[test]
fn the_budget_of_hedges_counts_what_is_wanted() {
    let stuck = Peer { silent_after: 0, push: (0..100).collect(), ..Peer::default() };
    let mut world = page(0, 400, [stuck]);
    world.call(Input::Promise { peer: 0, ids: (0..100).collect() });
    world.run_on(200);
    world.call(Input::Demand { ids: (0..20).collect() });
    world.run_on(1_000);
    let budget = HEDGE_LEN_EXTRA + 20 * u64::from(LEN) / 4;
    assert_eq!(world.from(Source::Origin), budget / u64::from(LEN) * u64::from(LEN));
}

#[test]
fn the_critical_pieces_of_a_slow_peer_are_taken_over_by_one_that_has_only_expected_ones() {
    let slow = Peer { bytes_per_ms: 150, ..Peer::default() };
    let fast = Peer { bytes_per_ms: 5_000, ..Peer::default() };
    let mut world = page(120, 3_000, [slow, fast]);
    world.origin_down = true;
    let times: Vec<u64> = (0..120).map(|id| held_at(&mut world, id, 10_000).unwrap()).collect();
    assert!(times.iter().all(|&at| at < 1_400), "as if nothing were expected (see `in_the_end_game_...`): {:?}", times.iter().max());
    assert!(!world.traced.doubled.is_empty() && world.traced.doubled.iter().all(|&id| id < 120));
    world.traced.check("expected-end-game");
}

#[test]
fn demands_of_ten_thousand_pieces_take_no_quadratic_time() {
    let started = std::time::Instant::now();
    let fast = || Peer { bytes_per_ms: 200_000, ..Peer::default() };
    let mut world = page(0, 10_000, [fast(), fast(), Peer { holds: Some((0..10_000).step_by(7).collect()), ..fast() }]);
    world.run(60);
    for first in (0..10_000).step_by(4) {
        world.call(Input::Demand { ids: (first..first + 4).collect() });
    }
    world.run(120_000);
    assert!(world.done_at.is_some());
    assert!(started.elapsed().as_secs() < 20, "{:?}: a quadratic engine takes minutes", started.elapsed());
}

#[test]
fn what_the_manifest_does_not_have_is_asked_about_before_anybody_is_asked_for_it() {
    let mut world = page(4, 4, [Peer::default(), Peer { holds: Some((0..10).collect()), ..Peer::default() }]);
    world.run(2_000);
    world.call(Input::AddOnDemand { lens: vec![LEN; 4] });
    let ids = |numbers: &[u32]| crate::replay::ids(numbers);
    assert_eq!(world.traced.fetch.supply(&ids(&[8, 9])), None, "both may still say so");
    assert_eq!(world.traced.fetch.supply(&ids(&[7, 8])), Some(true), "one is here");
    world.run_on(4_000);
    assert_eq!(world.traced.fetch.supply(&ids(&[8])), Some(true));
    assert_eq!(world.traced.fetch.supply(&ids(&[10, 11])), Some(false));
    assert_eq!(world.origin_requests, 0);
    world.traced.check("on-demand");
}

#[test]
fn a_demand_waits_for_half_a_window_at_most_and_a_far_peer_keeps_its_own() {
    for (delay_ms, first_ms_max, rate_min) in [(10, 230, 1_000), (20, 230, 1_000), (75, 300, 600), (120, 350, 400)] {
        let mut world = page(0, 6_000, [Peer { bytes_per_ms: 1_000, delay_ms, holds: Some((0..6_000).collect()), ..Peer::default() }]);
        world.run(4_000);
        let before = world.from(Source::Peer(0));
        world.run(6_000);
        let rate = (world.from(Source::Peer(0)) - before) / 2_000;
        assert!(rate >= rate_min, "{rate} B/ms of what is expected, {delay_ms} ms away");
        world.call(Input::Demand { ids: vec![5_000] });
        let first = held_at(&mut world, 5_000, 10_000).unwrap() - 6_000;
        assert!(first <= first_ms_max, "{first} ms, {delay_ms} ms away");
    }
}
