//! Connections in virtual time; the stories are traces for the other implementations.

use serde_json::{Value, json};

use super::*;
use crate::replay;

/// One call, as it stands in a trace.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Answered { peer: PeerKey },
    Open { peer: PeerKey },
    Frame { peer: PeerKey },
    Sent { peer: PeerKey },
    Closed { peer: PeerKey },
    Timeout,
}

#[derive(Default)]
struct Traced {
    peers: Peers,
    steps: Vec<Value>,
}

impl Traced {
    /// Who is closed after this call. They are forgotten at once, as a session does.
    fn call(&mut self, now: u64, input: Input) -> Vec<PeerKey> {
        let peers = &mut self.peers;
        match input {
            Input::Answered { peer } => peers.handle_answered(now, peer, from(peer, true)),
            Input::Open { peer } => peers.handle_open(peer),
            Input::Frame { peer } => assert!(peers.handle_frame(now, peer, &HAVE)),
            Input::Sent { peer } => peers.handle_sent(now, peer),
            Input::Closed { peer } => assert!(peers.handle_closed(peer).is_some()),
            Input::Timeout => peers.handle_timeout(now),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| peers.poll()).collect();
        let closed = outputs.iter().map(|&PeersOutput::Close { peer }| peer).collect();
        for &peer in &closed {
            peers.handle_closed(peer);
        }
        let timeout = peers.poll_timeout();
        assert!(!matches!(input, Input::Timeout) || timeout.is_none_or(|at| at > now), "asks to be woken in the past");
        self.steps.push(json!({ "now": now, "input": input, "outputs": outputs, "timeout": timeout, "met": peers.met(now) }));
        closed
    }

    /// Lets time pass up to `until`; who is closed when.
    fn pass(&mut self, until: u64) -> Vec<(u64, PeerKey)> {
        let mut closed = Vec::new();
        while let Some(now) = self.peers.poll_timeout().filter(|at| *at <= until) {
            closed.extend(self.call(now, Input::Timeout).into_iter().map(|peer| (now, peer)));
        }
        closed
    }

    fn opened(&mut self, now: u64, peer: PeerKey) {
        self.call(now, Input::Answered { peer });
        self.call(now, Input::Open { peer });
    }

    fn check(&self, name: &str) {
        replay::check("session/peers", name, &json!({}), &self.steps);
    }
}

fn from(number: u64, dialled: bool) -> Introduction {
    Introduction { number: PeerNumber::from_bits(number), offer: 1, push: None, dialled, beyond: None }
}

fn met(opened: usize, hopeful: usize, late: usize) -> Met {
    Met { opened, hopeful, late }
}

const HAVE: Frame = Frame::Have { ids: Vec::new() };

#[test]
fn a_dial_that_never_opens_is_given_up_after_twenty_seconds() {
    let mut traced = Traced::default();
    traced.call(0, Input::Answered { peer: 1 });
    assert!(traced.call(DIAL_GIVEN_UP_MS - 1, Input::Timeout).is_empty());
    assert_eq!(traced.pass(2 * DIAL_GIVEN_UP_MS), [(DIAL_GIVEN_UP_MS, 1)]);
    assert!(traced.peers.is_empty());
    traced.check("given-up");
}

#[test]
fn a_connection_that_nobody_uses_is_closed_after_a_minute() {
    let mut traced = Traced::default();
    traced.opened(0, 1);
    assert_eq!(traced.pass(IDLE_MS - 1), []);
    assert_eq!(traced.pass(2 * IDLE_MS), [(IDLE_MS, 1)]);
    traced.check("idle");
}

#[test]
fn frames_either_way_keep_a_connection() {
    let mut traced = Traced::default();
    for peer in [1, 2, 3] {
        traced.opened(0, peer);
    }
    traced.call(30_000, Input::Frame { peer: 1 });
    traced.call(40_000, Input::Sent { peer: 2 });
    assert_eq!(traced.pass(200_000), [(60_000, 3), (90_000, 1), (100_000, 2)]);
    traced.check("used");
}

#[test]
fn what_is_sent_before_it_opened_does_not_count() {
    let mut traced = Traced::default();
    traced.call(0, Input::Answered { peer: 1 });
    traced.call(19_000, Input::Sent { peer: 1 });
    assert_eq!(traced.pass(30_000), [(DIAL_GIVEN_UP_MS, 1)]);
    traced.check("sent-early");
}

#[test]
fn the_first_to_end_decides_when_to_look() {
    let mut traced = Traced::default();
    assert_eq!(traced.peers.poll_timeout(), None, "nobody is woken without connections");
    traced.opened(100_000, 1);
    traced.call(110_000, Input::Answered { peer: 2 });
    assert_eq!(traced.peers.poll_timeout(), Some(110_000 + DIAL_GIVEN_UP_MS));
    traced.call(111_000, Input::Closed { peer: 2 });
    assert_eq!(traced.peers.poll_timeout(), Some(100_000 + IDLE_MS));
    traced.call(112_000, Input::Closed { peer: 1 });
    assert_eq!(traced.peers.poll_timeout(), None);
    traced.check("first");
}

#[test]
fn a_dial_counts_for_the_search_as_long_as_there_is_hope() {
    let mut traced = Traced::default();
    traced.call(0, Input::Answered { peer: 1 });
    traced.call(1_000, Input::Answered { peer: 2 });
    assert_eq!(traced.peers.met(1_000), met(0, 2, 0));
    traced.call(DIAL_HOPED_MS, Input::Timeout);
    assert_eq!(traced.peers.met(DIAL_HOPED_MS), met(0, 1, 1));
    traced.call(DIAL_HOPED_MS, Input::Open { peer: 1 });
    assert_eq!(traced.peers.met(DIAL_HOPED_MS), met(1, 1, 0));
    traced.call(3_000, Input::Closed { peer: 1 });
    assert!(traced.peers.handle_closed(1).is_none(), "it is over already");
    traced.call(9_000, Input::Timeout);
    assert_eq!(traced.peers.met(9_000), met(0, 0, 1));
    traced.check("hope");
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

#[test]
fn why_a_connection_never_opened_is_told_by_how_far_it_came() {
    let mut peers = Peers::default();
    for peer in 1..=3 {
        peers.handle_answered(0, peer, from(peer, true));
    }
    peers.handle_path(2);
    peers.handle_path(3);
    peers.handle_open(3);
    let failures: Vec<_> = (1..=3).filter_map(|peer| peers.handle_closed(peer)).map(|link| link.failure()).collect();
    assert_eq!(failures, [Some(ConnectFailure::NoPath), Some(ConnectFailure::NoChannel), None]);
}
