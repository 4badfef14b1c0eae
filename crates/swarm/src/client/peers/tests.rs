//! Connections in virtual time.

use super::*;

fn from(number: u64, dialled: bool) -> Introduction {
    Introduction { number: PeerNumber::from_bits(number), offer: 1, push: None, dialled }
}

fn met(opened: usize, hopeful: usize, late: usize) -> Met {
    Met { opened, hopeful, late }
}

/// Lets time pass up to `until`; who is closed when.
fn pass(peers: &mut Peers, until: u64) -> Vec<(u64, PeerKey)> {
    let mut closed = Vec::new();
    while let Some(now) = peers.poll_timeout().filter(|at| *at <= until) {
        peers.handle_timeout(now);
        while let Some(PeersOutput::Close { peer }) = peers.poll() {
            peers.handle_closed(peer);
            closed.push((now, peer));
        }
    }
    closed
}

const HAVE: Frame = Frame::Have { ids: Vec::new() };

#[test]
fn a_dial_that_never_opens_is_given_up_after_twenty_seconds() {
    let mut peers = Peers::default();
    peers.handle_answered(0, 1, from(7, true));
    assert_eq!(pass(&mut peers, 2 * DIAL_GIVEN_UP_MS), [(DIAL_GIVEN_UP_MS, 1)]);
    assert!(peers.is_empty());
}

#[test]
fn a_connection_that_nobody_uses_is_closed_after_a_minute() {
    let mut peers = Peers::default();
    peers.handle_answered(0, 1, from(7, true));
    peers.handle_open(1);
    assert_eq!(pass(&mut peers, IDLE_MS - 1), []);
    assert_eq!(pass(&mut peers, 2 * IDLE_MS), [(IDLE_MS, 1)]);
}

#[test]
fn frames_either_way_keep_a_connection() {
    let mut peers = Peers::default();
    for peer in [1, 2, 3] {
        peers.handle_answered(0, peer, from(peer, true));
        peers.handle_open(peer);
    }
    assert_eq!(pass(&mut peers, 30_000), []);
    assert!(peers.handle_frame(30_000, 1, &HAVE));
    assert_eq!(pass(&mut peers, 40_000), []);
    peers.handle_sent(40_000, 2);
    assert_eq!(pass(&mut peers, 200_000), [(60_000, 3), (90_000, 1), (100_000, 2)]);
}

#[test]
fn what_is_sent_before_it_opened_does_not_count() {
    let mut peers = Peers::default();
    peers.handle_answered(0, 1, from(7, true));
    peers.handle_sent(19_000, 1);
    assert_eq!(pass(&mut peers, 30_000), [(DIAL_GIVEN_UP_MS, 1)]);
}

#[test]
fn without_connections_nobody_is_woken() {
    let mut peers = Peers::default();
    assert_eq!(peers.poll_timeout(), None);
    peers.handle_answered(100_000, 1, from(7, true));
    assert_eq!(peers.poll_timeout(), Some(100_000 + LOOK_OVER_MS));
}

#[test]
fn a_dial_counts_for_the_search_as_long_as_there_is_hope() {
    let mut peers = Peers::default();
    peers.handle_answered(0, 1, from(1, true));
    peers.handle_answered(1_000, 2, from(2, false));
    assert_eq!(peers.met(1_000), met(0, 2, 0));
    assert_eq!(peers.met(DIAL_HOPED_MS), met(0, 1, 1));
    peers.handle_open(1);
    assert_eq!(peers.met(DIAL_HOPED_MS), met(1, 1, 0));
    assert!(peers.handle_closed(1).is_some() && peers.handle_closed(1).is_none());
    assert_eq!(peers.met(9_000), met(0, 0, 1));
}

#[test]
fn there_are_no_more_connections_than_the_download_takes() {
    let mut peers = Peers::default();
    for peer in 0..LINKS_MAX as PeerKey {
        assert!(peers.room() > 0);
        peers.handle_answered(0, peer, from(peer, true));
    }
    assert_eq!(peers.room(), 0);
    peers.handle_answered(0, 1_000, from(1_000, true));
    assert!(peers.get(1_000).is_none(), "one more than the limit");
}

#[test]
fn more_control_frames_in_a_second_than_any_honest_peer_sends_are_a_flood() {
    let mut peers = Peers::default();
    peers.handle_answered(0, 1, from(7, false));
    for _ in 0..CONTROL_FRAMES_PER_S_MAX {
        assert!(peers.handle_frame(999, 1, &HAVE));
    }
    assert!(!peers.handle_frame(999, 1, &HAVE), "one more");
    assert!(peers.handle_frame(1_000, 1, &HAVE), "another second");
    let piece = Frame::Piece { id: crate::replay::id(1), encoding: viral_wire::frame::Encoding::Raw, body: vec![1] };
    for _ in 0..=CONTROL_FRAMES_PER_S_MAX {
        assert!(peers.handle_frame(1_500, 1, &piece), "pieces do not count");
    }
}

#[test]
fn only_who_was_dialled_is_awaited_with_a_push() {
    let push = Push { manifest: Digest([1; 32]), stripe: 0, stripes: 1, budget: 1_000 };
    let mut peers = Peers::default();
    for (peer, dialled) in [(1, true), (2, false)] {
        peers.handle_answered(0, peer, Introduction { push: Some(push), ..from(peer, dialled) });
    }
    let awaited = |peer| peers.get(peer).and_then(PeerLink::awaited_push);
    assert_eq!((awaited(1), awaited(2)), (Some(push), None));
}
