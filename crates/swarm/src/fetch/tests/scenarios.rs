//! What the engine does when peers are good, late, silent, gone, or lie; each story is a trace for the other implementations.

use std::collections::BTreeSet;

use super::trace::Input;
use super::world::{Peer, World};
use crate::fetch::config::{
    DIAL_MS, FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, OPEN_MS, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, PAUSE_MS,
    WINDOW_LEN_START,
};
use crate::fetch::{Accepted, Fault, Source};

const LEN: u32 = 32 * 1024;

fn peer() -> Peer {
    Peer::default()
}

fn holding(ids: impl IntoIterator<Item = u32>) -> Peer {
    Peer { holds: Some(ids.into_iter().collect::<BTreeSet<_>>()), ..peer() }
}

fn pushing(ids: impl IntoIterator<Item = u32>) -> Peer {
    Peer { push: ids.into_iter().collect(), ..peer() }
}

#[test]
fn several_peers_share_the_work_and_the_origin_sends_nothing() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(64, [peer(), peer(), peer()]);
    world.run(5_000);
    assert!(world.done_at.is_some_and(|at| at < 800));
    assert_eq!(world.origin_requests, 0);
    for key in 0..3 {
        assert!(world.from(Source::Peer(key)) > 15 * u64::from(LEN), "peer {key} did its share");
    }
    assert_eq!(world.waste, 0);
    world.traced.check("several-peers");
}

#[test]
fn pushed_pieces_count_as_in_flight_and_are_not_asked_for() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(12, [pushing([0, 2, 4, 6]), pushing([1, 3, 5, 7])]);
    assert_eq!(world.traced.fetch.progress().held, 0);
    world.run(5_000);
    assert!(world.done_at.is_some());
    assert!(world.traced.doubled.is_empty(), "no piece was on its way twice");
    assert_eq!((world.origin_requests, world.waste), (0, 0));
    world.traced.check("push");
}

#[test]
fn announced_pieces_of_a_peer_that_is_slow_to_open_are_hedged_and_cancelled_when_it_does() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(8, [Peer { opens_ms: Some(600), ..pushing([0, 1, 2, 3]) }]);
    world.run(349);
    assert_eq!(world.origin_requests, 0, "within the time to open nothing is asked of the origin");
    world.run(599);
    assert_eq!(world.from(Source::Origin), 4 * u64::from(LEN), "what was promised is hedged, the rest waits for the peer");
    world.run_on(2_000);
    assert!(world.done_at.is_some());
    assert!(world.from(Source::Peer(0)) >= 4 * u64::from(LEN));
    assert!(world.waste <= 4 * u64::from(LEN));
    assert!(world.drops.is_empty(), "sending what was promised is no fault");
    world.traced.check("late-promise");
}

#[test]
fn what_a_peer_announced_that_opens_and_says_nothing_is_not_waited_for() {
    let mut world = World::new(1);
    let mute = Peer { greets: false, silent_after: 0, ..pushing(0..30) };
    world.add_pieces_after_dialling(40, [mute]);
    world.run(40 + GRACE_MS - 1);
    assert_eq!(world.origin_requests, 0, "it may still say what it holds");
    world.run(1_000);
    assert_eq!(world.from(Source::Origin), 40 * u64::from(LEN), "the origin gives everything, without a budget");
    world.run_on(40 + GRACE_MS + 1_500);
    assert_eq!(world.drops, [(0, Fault::Silent)]);
    world.traced.check("mute-peer");
}

#[test]
fn a_peer_that_sends_what_it_announced_may_greet_late() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(40, [Peer { greets: false, ..pushing(0..40) }]);
    world.run(5_000);
    assert_eq!((world.origin_requests, world.from(Source::Peer(0))), (0, 40 * u64::from(LEN)));
}

#[test]
fn announced_pieces_of_a_peer_that_never_opens_are_left_to_one_that_did() {
    let mut world = World::new(1);
    let dead = Peer { opens_ms: None, ..pushing([0, 2, 4, 6, 8, 10]) };
    world.add_pieces_after_dialling(40, [dead, pushing([1, 3, 5, 7, 9, 11])]);
    world.run(5_000);
    assert!(world.done_at.is_some_and(|at| at < 1_200));
    assert_eq!((world.origin_requests, world.from(Source::Peer(1))), (0, 40 * u64::from(LEN)));
    world.traced.check("dead-dial-beside-open");
}

#[test]
fn silent_peer_is_replaced_by_the_origin_at_the_deadline() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(40, [Peer { silent_after: 0, ..peer() }]);
    world.run(1_539);
    assert!(world.drops.is_empty());
    world.run(1_540);
    assert_eq!(world.drops, [(0, Fault::Silent)], "a second and a half after it was asked");
    world.run(2_500);
    assert!(world.done_at.is_some_and(|at| at < 1_900));
    world.traced.check("silent-peer");
}

#[test]
fn an_overdue_piece_is_hedged_within_the_budget() {
    let mut world = World::new(1);
    let slow = Peer { bytes_per_ms: 45, ..peer() };
    world.add_pieces_after_dialling(100, [slow]);
    world.run_on(900);
    let hedged = world.from(Source::Origin);
    assert!(hedged > 0, "after 400 ms without progress the origin was asked, too");
    assert!(hedged <= HEDGE_LEN_EXTRA + 100 * u64::from(LEN) * HEDGE_PERCENT / 100);
    assert!(world.drops.is_empty(), "a late peer is kept");
    world.traced.check("hedge");
}

#[test]
fn hedging_stops_at_the_budget() {
    let mut world = World::new(1);
    world.origin_delay_ms = 10;
    let stuck = || Peer { silent_after: 0, ..pushing(0..40) };
    let other = || Peer { silent_after: 0, ..pushing(40..80) };
    world.add_pieces_after_dialling(80, [stuck(), other()]);
    world.run_on(1_000);
    assert!(world.from(Source::Origin) <= HEDGE_LEN_EXTRA + 80 * u64::from(LEN) * HEDGE_PERCENT / 100);
    assert!(world.from(Source::Origin) > HEDGE_LEN_EXTRA, "and reaches it");
}

#[test]
fn a_forged_piece_bans_its_sender_and_others_take_over() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(60, [Peer { forges: Some(3), ..peer() }, peer()]);
    world.run(5_000);
    assert_eq!(world.drops, [(0, Fault::Forged)]);
    assert!(world.done_at.is_some());
    assert_eq!(world.origin_requests, 0, "the other peer holds everything");
    world.dial(0, peer());
    world.add_pieces(1);
    world.run_on(world.now + 600);
    assert!(world.drops.ends_with(&[(0, Fault::Forged)]), "a banned peer is turned away");
    world.traced.check("forged-piece");
}

#[test]
fn what_a_closed_peer_owed_is_asked_of_others_at_once() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(80, [Peer { closes_ms: Some(60), ..peer() }, peer()]);
    world.run(5_000);
    assert!(world.done_at.is_some_and(|at| at < 1_700));
    assert_eq!(world.origin_requests, 0);
    world.traced.check("closed-mid-transfer");
}

#[test]
fn without_any_peer_the_origin_is_asked_at_once_and_peers_are_called_for() {
    let mut world = World::new(1);
    world.add_pieces(100);
    assert_eq!(world.origin_requests, ORIGIN_REQUESTS_MAX);
    assert_eq!(world.traced.owed_by(Source::Origin).len(), ORIGIN_REQUESTS_MAX * ORIGIN_IDS_MAX);
    assert_eq!(world.need_peers, 1);
    world.run(5_000);
    assert!(world.done_at.is_some());
    assert_eq!((world.need_peers, world.origin_requests), (1, 100_usize.div_ceil(ORIGIN_IDS_MAX)));
    world.traced.check("no-peers");
}

#[test]
fn peers_that_never_open_cost_the_time_to_dial_and_no_more() {
    let mut world = World::new(1);
    let dead = || Peer { opens_ms: None, ..peer() };
    world.add_pieces_after_dialling(20, [dead(), dead()]);
    world.run(DIAL_MS + OPEN_MS - 1);
    assert_eq!(world.origin_requests, 0);
    world.run(DIAL_MS + OPEN_MS);
    assert!(world.origin_requests > 0);
    world.run(5_000);
    assert!(world.done_at.is_some_and(|at| at < DIAL_MS + OPEN_MS + 250));
    world.traced.check("dead-dials");
}

#[test]
fn a_peer_that_opens_late_joins() {
    let mut world = World::new(1);
    world.origin_delay_ms = 100;
    world.add_pieces_after_dialling(300, [Peer { opens_ms: Some(1_300), bytes_per_ms: 10_000, ..peer() }]);
    world.run(10_000);
    assert!(world.from(Source::Origin) > 0);
    assert!(world.from(Source::Peer(0)) > 50 * u64::from(LEN));
    assert!(world.done_at.is_some());
    world.traced.check("late-opener");
}

#[test]
fn an_origin_that_fails_is_asked_again_ever_more_rarely_until_it_recovers() {
    let mut world = World::new(7);
    world.origin_down = true;
    world.add_pieces(30);
    world.run_on(60_000);
    assert!(world.origin_requests > 8, "it is never given up");
    assert!(world.origin_requests < 60, "and not stormed: {} requests", world.origin_requests);
    assert!(world.need_peers > 3, "meanwhile peers are called for");
    world.origin_down = false;
    world.run(70_000);
    assert!(world.done_at.is_some(), "the longest pause is 8 s");
    world.traced.check("origin-recovers");
}

#[test]
fn peers_carry_on_while_the_origin_fails() {
    let mut world = World::new(7);
    world.origin_down = true;
    world.add_pieces(30);
    world.run_on(3_000);
    world.dial(1, peer());
    world.run(4_000);
    assert!(world.done_at.is_some());
    assert_eq!(world.from(Source::Origin), 0);
}

#[test]
fn a_peer_that_refuses_is_left_alone_for_a_while_and_replaced() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(40, [Peer { refuses: true, ..peer() }]);
    world.run(50 + PAUSE_MS);
    assert!(world.from(Source::Origin) > 0, "nobody else holds it");
    world.run(5_000);
    assert!(world.done_at.is_some());
    assert!(world.drops.is_empty(), "a refusal is no fault");
    world.traced.check("refused");
}

#[test]
fn partial_peers_are_queried_and_the_origin_takes_what_nobody_holds() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(40, [holding(0..20), holding((10..30).chain([90]))]);
    world.run(5_000);
    assert!(world.done_at.is_some());
    assert_eq!(world.from(Source::Origin), 10 * u64::from(LEN), "pieces 30 to 39");
    assert_eq!(world.waste, 0);
    world.traced.check("partial-peers");
}

#[test]
fn pieces_that_arrive_make_a_partial_peer_useful() {
    let mut world = World::new(1);
    world.origin_down = true;
    world.add_pieces_after_dialling(10, [holding([])]);
    world.run_on(200);
    world.call(Input::Have { peer: 0, ids: (0..10).collect() });
    world.run(2_000);
    assert!(world.done_at.is_some());
    assert_eq!(world.from(Source::Origin), 0);
    world.traced.check("news");
}

#[test]
fn a_piece_that_was_not_asked_for_is_told_apart_from_one_that_is_late() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(4, [peer()]);
    world.run_on(41);
    assert_eq!(world.call(Input::Accept { source: Some(0), id: 77 }), Some(Accepted::Unasked), "not in any manifest");
    assert_eq!(world.call(Input::Accept { source: Some(5), id: 0 }), Some(Accepted::Unasked), "from nobody we know");
    world.call(Input::Held { ids: vec![1] });
    assert_eq!(world.call(Input::Accept { source: Some(0), id: 1 }), Some(Accepted::Late), "asked for before it was found");
    assert_eq!(world.call(Input::Accept { source: Some(0), id: 1 }), Some(Accepted::Unasked), "and sent once more");
    assert_eq!(world.call(Input::Accept { source: Some(0), id: 0 }), Some(Accepted::Take { len: LEN }));
    world.call(Input::Fault { peer: 0, fault: Fault::Unasked });
    assert_eq!(world.drops, [(0, Fault::Unasked)]);
    assert!(world.traced.owed_by(Source::Peer(0)).is_empty());
    world.run(2_000);
    assert!(world.done_at.is_some());
    world.traced.check("unasked");
}

#[test]
fn in_the_end_game_an_idle_peer_takes_over_from_a_slow_one() {
    let mut world = World::new(1);
    world.origin_down = true;
    let slow = Peer { bytes_per_ms: 150, ..peer() };
    let fast = Peer { bytes_per_ms: 5_000, ..peer() };
    world.add_pieces_after_dialling(120, [slow, fast]);
    world.run(10_000);
    assert!(!world.traced.doubled.is_empty());
    assert!(world.done_at.is_some_and(|at| at < 1_400), "done at {:?}; the slow peer alone owed 1.7 s", world.done_at);
    world.traced.check("end-game");
}

#[test]
fn a_peer_of_no_use_is_dropped_while_the_origin_answers() {
    let mut world = World::new(1);
    world.piece_len = 8 * 1024;
    world.origin_bytes_per_ms = 1_000;
    world.add_pieces_after_dialling(400, [Peer { bytes_per_ms: 20, ..peer() }]);
    world.run(20_000);
    assert_eq!(world.drops, [(0, Fault::Slow)]);
    assert!(world.done_at.is_some_and(|at| at < 5_000), "{:?}", world.done_at);
    world.traced.check("slow-peer");
}

#[test]
fn pieces_added_later_are_asked_of_peers_that_say_they_hold_them() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(10, [Peer { holds: None, ..peer() }, holding(10..20)]);
    world.run(2_000);
    assert!(world.done_at.take().is_some());
    let before = world.from(Source::Peer(1));
    world.add_pieces(15);
    world.run(4_000);
    assert!(world.done_at.is_some(), "done is said again");
    assert_eq!(world.from(Source::Peer(1)), before + 10 * u64::from(LEN));
    assert_eq!(world.from(Source::Origin), 5 * u64::from(LEN), "a complete peer holds the page manifest, not every asset");
    world.traced.check("later-pieces");
}

#[test]
fn what_is_found_in_the_store_is_not_fetched_and_cancels_what_was_asked() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(20, [peer()]);
    world.call(Input::Held { ids: (0..10).collect() });
    world.run_on(45);
    world.call(Input::Held { ids: (10..20).collect() });
    world.run_on(1_000);
    assert!(world.done_at.is_some());
    assert_eq!(world.traced.fetch.progress().bytes_held, 20 * u64::from(LEN));
    assert!(world.drops.is_empty());
    world.traced.check("store");
}

#[test]
fn tiny_pieces_are_bounded_in_number_and_the_window_grows_with_the_rate() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(2_000, [Peer { delay_ms: 40, bytes_per_ms: 20_000, ..peer() }]);
    world.run_on(41);
    let first = world.traced.owed_by(Source::Peer(0)).len();
    assert_eq!(first as u64, WINDOW_LEN_START / u64::from(LEN));
    world.run_on(700);
    assert!(world.traced.owed_by(Source::Peer(0)).len() > 2 * first, "the window grew");
    let mut tiny = World::new(1);
    tiny.piece_len = 100;
    tiny.dial(0, peer());
    tiny.add_pieces(1_000);
    tiny.run_on(41);
    assert_eq!(tiny.traced.owed_by(Source::Peer(0)).len(), FLIGHT_IDS_MAX);
}

#[test]
fn an_app_of_ten_thousand_pieces_takes_no_quadratic_time() {
    let started = std::time::Instant::now();
    let mut world = World::new(1);
    let fast = || Peer { bytes_per_ms: 200_000, ..peer() };
    world.add_pieces_after_dialling(10_000, [fast(), fast(), holding(0..10_000), holding((0..10_000).step_by(7))]);
    world.run(120_000);
    assert!(world.done_at.is_some());
    assert!(started.elapsed().as_secs() < 20, "{:?}: a quadratic engine takes minutes", started.elapsed());
}

#[test]
fn floods_of_have_and_refuse_leave_state_bounded() {
    let mut world = World::new(1);
    world.add_pieces_after_dialling(100, [Peer { silent_after: 0, ..holding([]) }]);
    world.run_on(41);
    for round in 0..2_000 {
        world.call(Input::Have { peer: 0, ids: (round..round + 1_000).collect() });
        world.call(Input::Refuse { peer: 0, ids: (0..100).collect() });
    }
    world.run(10_000);
    assert!(world.done_at.is_some());
}

#[test]
fn an_origin_that_sends_wrong_bytes_is_asked_again() {
    let mut world = World::new(1);
    world.add_pieces(1);
    world.call(Input::Accept { source: None, id: 0 });
    world.call(Input::Piece { source: None, id: 0, verified: false });
    assert_eq!(world.traced.fetch.progress().held, 0);
    world.run(5_000);
    assert!(world.done_at.is_some());
}

impl World {
    /// As a page does: dials first; the manifest arrives a little later.
    fn add_pieces_after_dialling<const N: usize>(&mut self, count: usize, peers: [Peer; N]) {
        let pushes: Vec<Vec<u32>> = peers.iter().map(|peer| peer.push.clone()).collect();
        for (key, peer) in (0..).zip(peers) {
            self.dial(key, peer);
        }
        self.now += 2;
        self.add_pieces(count);
        for (key, ids) in (0..).zip(pushes) {
            self.call(Input::Promise { peer: key, ids });
        }
    }
}
