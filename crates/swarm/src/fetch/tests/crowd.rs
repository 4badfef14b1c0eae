//! One of a crowd: what it takes from the origin, which piece of a peer comes first, and how long it waits. Each story is a trace, as in `scenarios`.

use std::collections::BTreeSet;

use super::trace::{Input, Traced};
use super::world::{Peer, World};
use crate::fetch::config::{
    CROWD_OVERDUE_MS, CROWD_TIMEOUT_MS, LEASE_ASK_MS, LEASE_RETRY_MS, LEASE_STALL_LAST_MS, LEASE_STALL_MS, ORIGIN_IDS_MAX, RETRY_MS,
    WINDOW_LEN_MIN,
};
use crate::fetch::{Accepted, Fault, FetchOutput, PeerKey, Source};
use crate::replay;

pub(super) const LEN: u32 = 32_768;

pub(super) struct Crowd {
    pub(super) traced: Traced,
    now: u64,
}

impl Crowd {
    /// One that knows of so many pieces, and what it asked for at first.
    pub(super) fn of(count: usize) -> (Self, Vec<FetchOutput>) {
        let mut crowd = Self { traced: Traced::new(5), now: 0 };
        crowd.call(Input::Crowd { in_crowd: true });
        let outputs = crowd.call(Input::AddPieces { lens: vec![LEN; count] });
        (crowd, outputs)
    }

    pub(super) fn call(&mut self, input: Input) -> Vec<FetchOutput> {
        self.traced.call(self.now, input).1
    }

    fn lease(&mut self, ids: &[u32]) -> Vec<FetchOutput> {
        self.call(Input::Share { ids: ids.to_vec() })
    }

    pub(super) fn arrive(&mut self, source: Option<PeerKey>, id: u32) -> Vec<FetchOutput> {
        let (accepted, _) = self.traced.call(self.now, Input::Accept { source, id });
        assert_eq!(accepted, Some(Accepted::Take { len: LEN }));
        self.call(Input::Piece { source, id, verified: true })
    }

    /// A peer that holds these, and has said so.
    pub(super) fn peer(&mut self, peer: PeerKey, ids: &[u32]) -> Vec<FetchOutput> {
        self.call(Input::Open { peer });
        self.call(Input::Hello { peer, complete: false });
        self.call(Input::Have { peer, ids: ids.to_vec() })
    }

    pub(super) fn wait(&mut self, ms: u64) -> Vec<FetchOutput> {
        self.now += ms;
        self.call(Input::Timeout)
    }
}

fn asked_of_origin(outputs: &[FetchOutput]) -> Vec<u32> {
    let ids = |output: &FetchOutput| if let FetchOutput::AskOrigin { ids } = output { ids.clone() } else { Vec::new() };
    outputs.iter().flat_map(ids).map(replay::number).collect()
}

pub(super) fn wanted_of(outputs: &[FetchOutput], from: PeerKey) -> Vec<u32> {
    let ids = |output: &FetchOutput| if let FetchOutput::Want { peer, ids } = output { (*peer == from).then(|| ids.clone()) } else { None };
    outputs.iter().filter_map(ids).flatten().map(replay::number).collect()
}

#[test]
fn the_origin_is_asked_for_the_lease_and_for_nothing_else() {
    let (mut crowd, outputs) = Crowd::of(50);
    assert_eq!(outputs.iter().filter(|output| matches!(output, FetchOutput::AskLease { done: 0 })).count(), 1);
    assert!(asked_of_origin(&outputs).is_empty());
    let outputs = crowd.lease(&[7, 8]);
    assert_eq!(asked_of_origin(&outputs), [7, 8]);
    assert!(!outputs.contains(&FetchOutput::AskLease { done: 0 }), "it was asked a moment ago");
    assert!(crowd.wait(LEASE_ASK_MS).contains(&FetchOutput::AskLease { done: 0 }), "all of it is under way: time for more");
    crowd.traced.check("crowd-share");
}

#[test]
fn a_large_lease_is_several_requests() {
    let (mut crowd, _) = Crowd::of(50);
    let ids: Vec<u32> = (10..40).collect();
    let outputs = crowd.lease(&ids);
    let requests = outputs.iter().filter(|output| matches!(output, FetchOutput::AskOrigin { .. })).count();
    assert_eq!((asked_of_origin(&outputs), requests), (ids, 30_usize.div_ceil(ORIGIN_IDS_MAX)));
    crowd.traced.check("crowd-large-share");
}

#[test]
fn what_is_held_of_a_lease_is_reported_in_order_and_by_halves() {
    let (mut crowd, _) = Crowd::of(50);
    crowd.lease(&[1, 2, 3, 4]);
    crowd.wait(LEASE_ASK_MS);
    crowd.wait(LEASE_ASK_MS);
    assert!(!crowd.arrive(None, 2).iter().any(|output| matches!(output, FetchOutput::AskLease { .. })), "the first is missing still");
    assert!(crowd.arrive(None, 1).contains(&FetchOutput::AskLease { done: 2 }));
    crowd.traced.check("crowd-report");
}

#[test]
fn a_piece_that_is_granted_twice_is_asked_for_once() {
    let (mut crowd, _) = Crowd::of(50);
    assert_eq!(asked_of_origin(&crowd.lease(&[3, 3, 4])), [3, 4]);
    crowd.call(Input::OriginFailed { ids: vec![3, 4] });
    assert!(asked_of_origin(&crowd.lease(&[4, 3])).is_empty(), "the origin is left alone for a moment");
    assert_eq!(asked_of_origin(&crowd.wait(250)), [3, 4]);
    crowd.traced.check("crowd-dealt-twice");
}

#[test]
fn the_rarest_piece_of_a_peer_comes_first() {
    let (mut crowd, _) = Crowd::of(50);
    crowd.peer(1, &[10]);
    crowd.peer(2, &[10, 11]);
    let wanted = crowd.peer(3, &[10, 11, 12]);
    assert_eq!(wanted_of(&wanted, 3).first(), Some(&12));
    crowd.traced.check("crowd-rarest");
}

#[test]
fn what_the_page_waits_for_comes_before_what_is_rarer() {
    let (mut crowd, _) = Crowd::of(3);
    crowd.call(Input::AddExpected { lens: vec![LEN; 10] });
    for (peer, ids) in [(1, vec![1, 7, 8]), (2, vec![1, 7])] {
        crowd.call(Input::Dial { peer, ids: Vec::new() });
        crowd.call(Input::Have { peer, ids });
    }
    crowd.call(Input::Demand { ids: vec![7, 8] });
    // Nobody else has 9, which is only expected.
    let mut wanted = wanted_of(&crowd.peer(3, &[1, 7, 8, 9]), 3);
    for at in 0..4 {
        let more = crowd.arrive(Some(3), wanted[at]);
        wanted.extend(wanted_of(&more, 3));
    }
    assert_eq!(wanted, [8, 7, 1, 9], "demanded, the rarer one first, then critical, then expected");
    crowd.traced.check("crowd-rings");
}

/// Two pieces, the one first that comes first where both are equally rare.
fn two_in_order() -> (u32, u32) {
    let (mut crowd, _) = Crowd::of(50);
    let wanted = wanted_of(&crowd.peer(1, &[20, 21]), 1);
    (wanted[0], wanted[1])
}

#[test]
fn what_a_peer_that_refused_had_is_rarer_by_one() {
    let (first, second) = two_in_order();
    let (mut crowd, _) = Crowd::of(50);
    crowd.peer(1, &[second]);
    crowd.call(Input::Dial { peer: 2, ids: Vec::new() });
    crowd.call(Input::Have { peer: 2, ids: vec![first] });
    crowd.call(Input::Refuse { peer: 1, ids: vec![second] });
    assert_eq!(wanted_of(&crowd.peer(3, &[20, 21]), 3), [second, first], "only the first is held by another one");
    crowd.traced.check("crowd-refused");
}

#[test]
fn what_a_peer_that_left_had_is_rarer_by_one() {
    let (first, second) = two_in_order();
    let (mut crowd, _) = Crowd::of(50);
    for (peer, id) in [(1, first), (2, second)] {
        crowd.call(Input::Dial { peer, ids: Vec::new() });
        crowd.call(Input::Have { peer, ids: vec![id] });
    }
    crowd.call(Input::Closed { peer: 2 });
    assert_eq!(wanted_of(&crowd.peer(3, &[20, 21]), 3), [second, first], "only the first is held by another one");
    crowd.traced.check("crowd-leaves");
}

#[test]
fn a_peer_of_a_crowd_owes_little_at_a_time_until_its_rate_is_known() {
    let (mut crowd, _) = Crowd::of(50);
    let all: Vec<u32> = (0..50).collect();
    let wanted = crowd.peer(1, &all);
    assert_eq!(u64::from(LEN) * wanted_of(&wanted, 1).len() as u64, WINDOW_LEN_MIN);
    assert_ne!(wanted_of(&wanted, 1), [0, 1], "each of a crowd begins elsewhere");
    crowd.traced.check("crowd-window");
}

#[test]
fn one_of_a_crowd_waits_longer_for_a_peer() {
    let (mut crowd, _) = Crowd::of(50);
    crowd.peer(1, &[30, 31, 32]);
    crowd.wait(LEASE_ASK_MS);
    assert_eq!(crowd.traced.fetch.poll_timeout(), Some(CROWD_OVERDUE_MS));
    crowd.lease(&[0, 1]);
    crowd.wait(CROWD_TIMEOUT_MS - 5_000 - LEASE_ASK_MS);
    crowd.arrive(None, 0);
    assert!(!crowd.wait(4_999).iter().any(|output| matches!(output, FetchOutput::Drop { .. })));
    assert!(crowd.wait(1).contains(&FetchOutput::Drop { peer: 1, fault: Fault::Silent }));
    crowd.traced.check("crowd-patience");
}

#[test]
fn the_origin_stands_in_more_and_more_for_a_crowd_that_gives_nothing_at_all() {
    let (mut crowd, _) = Crowd::of(60);
    crowd.lease(&[]);
    assert!(asked_of_origin(&crowd.wait(LEASE_STALL_LAST_MS - 1)).is_empty());
    let mut asked = asked_of_origin(&crowd.wait(1));
    let mut counts = Vec::new();
    while !asked.is_empty() {
        counts.push(asked.len());
        asked = asked.into_iter().flat_map(|id| asked_of_origin(&crowd.arrive(None, id))).collect();
    }
    assert_eq!(counts, [1, 2, 4, 8, ORIGIN_IDS_MAX, ORIGIN_IDS_MAX, 13]);
    crowd.traced.check("crowd-stall");
}

#[test]
fn a_crowd_that_gives_again_is_one_again() {
    let (mut crowd, _) = Crowd::of(50);
    crowd.lease(&[]);
    let first = asked_of_origin(&crowd.wait(LEASE_STALL_LAST_MS));
    let wanted = wanted_of(&crowd.peer(1, &[first[0], 20, 21]), 1);
    assert_eq!(wanted.len(), 2, "what the origin is asked for is under way");
    let next = asked_of_origin(&crowd.arrive(None, first[0]));
    assert_eq!(next.len(), 2, "a peer that only says what it holds has given nothing");
    crowd.arrive(Some(1), wanted[0]);
    assert!(next.iter().all(|&id| asked_of_origin(&crowd.arrive(None, id)).is_empty()));
    crowd.arrive(Some(1), wanted[1]);
    assert_eq!(asked_of_origin(&crowd.wait(LEASE_STALL_LAST_MS)).len(), 1, "a second time, with little at first");
    crowd.traced.check("crowd-again");
}

#[test]
fn an_origin_that_fails_is_asked_for_little() {
    let (mut crowd, _) = Crowd::of(50);
    crowd.lease(&[]);
    let mut asked = asked_of_origin(&crowd.wait(LEASE_STALL_LAST_MS));
    for _ in 0..3 {
        asked = asked.into_iter().flat_map(|id| asked_of_origin(&crowd.arrive(None, id))).collect();
    }
    assert_eq!(asked.len(), 8);
    assert!(asked_of_origin(&crowd.call(Input::OriginFailed { ids: asked })).is_empty());
    assert_eq!(asked_of_origin(&crowd.wait(RETRY_MS)).len(), 1);
    crowd.traced.check("crowd-origin-fails");
}

#[test]
fn pieces_that_are_new_are_not_overdue() {
    let (mut crowd, _) = Crowd::of(1);
    crowd.lease(&[0]);
    crowd.arrive(None, 0);
    crowd.wait(2 * LEASE_STALL_MS);
    crowd.call(Input::AddPieces { lens: vec![LEN; 3] });
    assert!(crowd.traced.fetch.poll_timeout().is_some_and(|at| at > crowd.now));
    assert!(asked_of_origin(&crowd.wait(LEASE_STALL_MS - 1)).is_empty());
    assert_eq!(asked_of_origin(&crowd.wait(1)).len(), 1);
    crowd.traced.check("crowd-later-pieces");
}

#[test]
fn what_a_peer_owes_is_asked_of_the_origin_last() {
    let (mut crowd, _) = Crowd::of(3);
    let owed = wanted_of(&crowd.peer(1, &[0, 1, 2]), 1);
    assert_eq!(owed.len(), 2);
    let free: Vec<u32> = (0..3).filter(|id| !owed.contains(id)).collect();
    crowd.call(Input::Share { ids: Vec::new() });
    assert_eq!(asked_of_origin(&crowd.wait(LEASE_STALL_LAST_MS)), free);
    let late = asked_of_origin(&crowd.arrive(None, free[0]));
    assert_eq!(late.iter().collect::<BTreeSet<_>>(), owed.iter().collect());
    crowd.traced.check("crowd-rescue");
}

#[test]
fn an_empty_lease_is_asked_for_again_later() {
    let (mut crowd, _) = Crowd::of(50);
    assert!(crowd.lease(&[]).is_empty());
    crowd.wait(LEASE_ASK_MS);
    assert_eq!(crowd.traced.fetch.poll_timeout(), Some(LEASE_RETRY_MS));
    assert!(crowd.wait(LEASE_RETRY_MS - LEASE_ASK_MS).contains(&FetchOutput::AskLease { done: 0 }));
    crowd.traced.check("crowd-retry");
}

#[test]
fn outside_a_crowd_the_origin_stands_in_at_once() {
    let (mut crowd, _) = Crowd::of(50);
    assert!(!asked_of_origin(&crowd.call(Input::Crowd { in_crowd: false })).is_empty());
    crowd.traced.check("crowd-left");
}

#[test]
fn a_slow_peer_is_kept_as_long_as_there_is_a_crowd() {
    let mut world = World::new(1);
    world.piece_len = 8 * 1024;
    world.call(Input::Crowd { in_crowd: true });
    world.dial(0, Peer { bytes_per_ms: 20, ..Peer::default() });
    world.add_pieces(20);
    world.run(20_000);
    assert!(world.drops.is_empty());
    assert!(world.done_at.is_some_and(|at| at > 8_000), "{:?}", world.done_at);
    assert_eq!(world.from(Source::Origin), 0);
    world.traced.check("crowd-slow-peer");
}

#[test]
fn a_peer_whose_rate_is_known_keeps_its_window_when_a_crowd_begins() {
    let mut world = World::new(1);
    world.dial(0, Peer { holds: Some((0..80).collect()), ..Peer::default() });
    world.add_pieces(40);
    world.run(5_000);
    assert!(world.done_at.take().is_some());
    world.call(Input::Crowd { in_crowd: true });
    world.add_pieces(40);
    let begun = world.now;
    world.run(begun + 50);
    let owed = world.traced.owed_by(Source::Peer(0)).len() as u64;
    assert!(owed * u64::from(LEN) > WINDOW_LEN_MIN, "{owed} pieces");
    world.run(begun + 5_000);
    assert!(world.done_at.is_some());
    world.traced.check("crowd-begins");
}

/// Park and Miller's generator, as in the engine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, max: u64) -> u64 {
        self.0 = self.0 * 16_807 % 2_147_483_647;
        self.0 % max
    }
}

/// Peers of a crowd that open, gain pieces, slow down, lie, refuse and leave by chance, and a tracker that grants by chance.
fn crowd_by_chance(seed: u32, pieces: u32) -> World {
    let mut dice = Dice(u64::from(seed) * 7_919 + 1);
    let mut world = World::new(seed);
    world.origin_bytes_per_ms = 100 + dice.below(1_000);
    world.tracker_delay_ms = dice.below(200);
    world.call(Input::Crowd { in_crowd: true });
    world.add_pieces(pieces as usize);
    let mut left: Vec<u32> = (0..pieces).collect();
    while !left.is_empty() && dice.below(20) > 0 {
        let count = (1 + dice.below(4)).min(left.len() as u64);
        world.grants.push_back((0..count).map(|_| left.remove(dice.below(left.len() as u64) as usize)).collect());
    }
    for key in 0..3 + dice.below(4) {
        let gains = (0..dice.below(u64::from(pieces))).map(|_| (dice.below(6_000), dice.below(u64::from(pieces)) as u32)).collect();
        let chance = |one_in: u64, dice: &mut Dice| dice.below(one_in) == 0;
        let peer = Peer {
            greets: true,
            opens_ms: (!chance(8, &mut dice)).then(|| 20 + dice.below(900)),
            delay_ms: 1 + dice.below(60),
            bytes_per_ms: 10 + dice.below(300),
            holds: (!chance(6, &mut dice)).then(BTreeSet::new),
            silent_after: if chance(5, &mut dice) { dice.below(6) as usize } else { usize::MAX },
            forges: chance(6, &mut dice).then(|| dice.below(5) as usize),
            refuses: chance(8, &mut dice),
            closes_ms: chance(4, &mut dice).then(|| 500 + dice.below(5_000)),
            push: Vec::new(),
            gains,
        };
        world.dial(key, peer);
    }
    world
}

#[test]
fn a_crowd_by_chance_finishes() {
    for seed in 1..=300 {
        let mut world = crowd_by_chance(seed, 40);
        world.run(120_000);
        assert!(world.done_at.is_some(), "seed {seed}: {:?}", world.traced.fetch.progress());
        if seed <= 6 {
            world.traced.check(&format!("crowd-chance-{seed}"));
        }
    }
}
