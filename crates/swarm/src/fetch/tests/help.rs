//! Where peers are slow the origin helps from the other end; where they are not, or it is not faster, it is left alone. Each story is a trace.

use super::trace::Input;
use super::world::{Peer, World};
use crate::fetch::Source;
use crate::fetch::config::{HELP_AFTER_MS, HELP_IDS, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX};

const LEN: u32 = 32 * 1024;
/// An app of 10 MB.
const APP: usize = 320;

fn peer(bytes_per_ms: u64) -> Peer {
    Peer { bytes_per_ms, ..Peer::default() }
}

/// A page of so many pieces with these peers, and an origin of so many bytes per millisecond.
fn page<const N: usize>(count: usize, origin_bytes_per_ms: u64, peers: [Peer; N]) -> World {
    let mut world = World::new(1);
    world.origin_bytes_per_ms = origin_bytes_per_ms;
    for (key, peer) in (0..).zip(peers) {
        world.dial(key, peer);
    }
    world.add_pieces(count);
    world
}

#[test]
fn an_app_of_a_slow_peer_takes_little_longer_than_from_the_origin_alone() {
    let mut alone = page(APP, 10_000, []);
    alone.run(60_000);
    let alone_ms = alone.done_at.unwrap();
    for (bytes_per_ms, piece_len) in [(60, LEN), (60, 2 * LEN), (60, LEN / 2), (200, LEN), (400, LEN)] {
        let mut world = World::new(1);
        world.origin_bytes_per_ms = 10_000;
        world.piece_len = piece_len;
        world.dial(0, peer(bytes_per_ms));
        world.add_pieces(APP * LEN as usize / piece_len as usize);
        world.run(60_000);
        let done = world.done_at.unwrap();
        assert!(done <= alone_ms * 5 / 4 + 2_000, "{bytes_per_ms} B/ms, pieces of {piece_len}: {done} ms, the origin alone {alone_ms} ms");
        assert!(world.waste <= 4 * u64::from(piece_len), "{}", world.waste);
    }
}

#[test]
fn peers_that_are_fast_enough_are_left_to_it() {
    for (count, bytes_per_ms, delay_ms) in [(1, 1_000, 5), (1, 1_000, 40), (1, 1_000, 100), (2, 500, 40), (4, 250, 40), (1, 5_000, 75)] {
        let mut world = World::new(1);
        for key in 0..count {
            world.dial(key, Peer { delay_ms, ..peer(bytes_per_ms) });
        }
        world.add_pieces(APP);
        world.run(60_000);
        assert!(world.done_at.is_some());
        assert_eq!(world.from(Source::Origin), 0, "{count} peers of {bytes_per_ms} B/ms, {delay_ms} ms away");
    }
}

#[test]
fn the_origin_helps_a_slow_peer_from_the_end_with_little_at_first() {
    let mut world = page(APP, 5_000, [peer(100)]);
    while world.origin_requests == 0 && world.step(5_000) {}
    assert!(world.now >= 40 + HELP_AFTER_MS, "{}", world.now);
    let last: Vec<u32> = (APP as u32 - HELP_IDS as u32..APP as u32).collect();
    assert_eq!(world.traced.owed_by(Source::Origin), last.into_iter().collect());
    while world.traced.owed_by(Source::Origin).len() <= HELP_IDS && world.step(2_000) {}
    let asked = world.traced.owed_by(Source::Origin).len();
    assert!(asked >= (ORIGIN_REQUESTS_MAX - 1) * ORIGIN_IDS_MAX, "it was faster: now with all it has, and {asked} pieces");
    world.run(10_000);
    assert!(world.done_at.is_some_and(|at| at < 4_500), "{:?}", world.done_at);
    assert!(world.from(Source::Peer(0)) >= 3 * u64::from(LEN), "the peer went on meanwhile");
    world.traced.check("help");
}

#[test]
fn a_thin_origin_helps_with_one_small_request_at_a_time() {
    let mut world = page(80, 50, [peer(100)]);
    while world.done_at.is_none() && world.step(60_000) {
        assert!(world.traced.owed_by(Source::Origin).len() <= HELP_IDS);
    }
    let alone_ms = 80 * u64::from(LEN) / 100;
    assert!(world.done_at.is_some_and(|at| at < alone_ms * 4 / 5), "{:?}, the peer alone {alone_ms}", world.done_at);
    assert!(world.drops.is_empty());
    world.traced.check("help-thin-origin");
}

#[test]
fn an_origin_that_fails_is_not_stormed_for_help() {
    let mut world = page(APP, 5_000, [peer(100)]);
    world.origin_down = true;
    world.run_on(30_000);
    assert!(world.origin_requests < 10, "{} requests", world.origin_requests);
    assert_eq!(world.need_peers, 0);
    world.origin_down = false;
    world.run(45_000);
    assert!(world.done_at.is_some());
    world.traced.check("help-origin-fails");
}

#[test]
fn what_is_demanded_of_slow_peers_later_is_helped_with_at_once() {
    let mut world = page(40, 5_000, [peer(60)]);
    world.add_expected(400);
    while !(0..40).all(|id| world.traced.is_held(id)) && world.step(20_000) {}
    let (first, requests) = (world.now, world.origin_requests);
    assert!(first < 4_000 && requests > 0, "{first}");
    world.run_on(first + 2_000);
    assert_eq!(world.origin_requests, requests, "what is only expected is not helped with");
    let asked = world.now;
    world.call(Input::Demand { ids: (300..340).collect() });
    while !(300..340).all(|id| world.traced.is_held(id)) && world.step(20_000) {}
    assert!(world.now < asked + 1_000, "{} ms", world.now - asked);
    let before = world.origin_requests;
    world.call(Input::Demand { ids: vec![200] });
    world.run_on(world.now + 2_000);
    assert_eq!(world.origin_requests, before, "a single piece is soon here");
    world.traced.check("help-demand");
}

#[test]
fn help_ends_when_a_fast_peer_comes() {
    let mut world = page(2_000, 2_000, [peer(60)]);
    world.run_on(3_000);
    let before = world.from(Source::Origin);
    assert!(before > 0);
    world.dial(1, peer(5_000));
    world.run_on(3_500);
    let helped = world.from(Source::Origin) + u64::from(LEN) * world.traced.owed_by(Source::Origin).len() as u64;
    world.run(60_000);
    assert!(world.done_at.is_some());
    assert!(world.from(Source::Origin) <= helped + u64::from(LEN), "{} after {helped}", world.from(Source::Origin));
}

#[test]
fn a_crowd_is_not_helped() {
    let mut world = World::new(1);
    world.call(Input::Crowd { in_crowd: true });
    world.dial(0, peer(60));
    world.add_pieces(40);
    world.run(60_000);
    assert!(world.done_at.is_some_and(|at| at > 20_000));
    assert_eq!(world.from(Source::Origin), 0);
}
