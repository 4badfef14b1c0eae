//! Announcements in virtual time; the stories are traces for the other implementations.

use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::replay;

/// One call, as it stands in a trace. Pieces are numbers; those in `held` are here.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Query { peer: PeerKey, ids: Vec<u32>, held: Vec<u32> },
    HeldBy { peer: PeerKey, ids: Vec<u32> },
    Kept { id: u32 },
    Closed { peer: PeerKey },
    Timeout,
}

struct Traced {
    announce: Announce,
    serves: bool,
    steps: Vec<Value>,
}

impl Traced {
    fn new(serves: bool) -> Self {
        Self { announce: Announce::new(serves), serves, steps: Vec::new() }
    }

    /// What is said after this call, as (peer, pieces).
    fn call(&mut self, now: u64, input: Input) -> Vec<(PeerKey, Vec<u32>)> {
        let announce = &mut self.announce;
        match &input {
            Input::Query { peer, ids, held } => {
                announce.handle_query(*peer, &replay::ids(ids), |id| held.contains(&replay::number(*id)));
            }
            Input::HeldBy { peer, ids } => announce.handle_held_by(*peer, &replay::ids(ids)),
            Input::Kept { id } => announce.handle_kept(now, replay::id(*id)),
            Input::Closed { peer } => announce.handle_closed(*peer),
            Input::Timeout => announce.handle_timeout(now),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| self.announce.poll()).collect();
        let timeout = self.announce.poll_timeout();
        assert!(!matches!(input, Input::Timeout) || timeout.is_none_or(|at| at > now), "asks to be woken in the past");
        let said: Vec<_> = outputs.iter().map(replay::numbered).collect();
        self.steps.push(json!({ "now": now, "input": input, "outputs": said, "timeout": timeout }));
        let number = |AnnounceOutput::Have { peer, ids }| (peer, ids.into_iter().map(replay::number).collect());
        outputs.into_iter().map(number).collect()
    }

    fn query(&mut self, now: u64, peer: PeerKey, ids: &[u32], held: &[u32]) -> Vec<(PeerKey, Vec<u32>)> {
        self.call(now, Input::Query { peer, ids: ids.to_vec(), held: held.to_vec() })
    }

    fn check(&self, name: &str) {
        replay::check("session/announce", name, &json!({ "serves": self.serves }), &self.steps);
    }
}

#[test]
fn a_query_is_answered_at_once_with_what_is_here() {
    let mut traced = Traced::new(true);
    assert_eq!(traced.query(0, 1, &[0, 1, 2], &[0, 2]), [(1, vec![0, 2])]);
    assert_eq!(traced.query(1, 1, &[5], &[]), [(1, vec![])], "an empty answer tells that the query was read");
    traced.check("query");
}

#[test]
fn what_was_asked_about_is_announced_once_it_is_here_and_only_once() {
    let mut traced = Traced::new(true);
    traced.query(0, 1, &[0, 1], &[0]);
    assert_eq!(traced.call(10, Input::Kept { id: 1 }), []);
    assert_eq!(traced.announce.poll_timeout(), Some(10 + HAVE_MS));
    assert_eq!(traced.call(9 + HAVE_MS, Input::Timeout), []);
    assert_eq!(traced.call(10 + HAVE_MS, Input::Timeout), [(1, vec![1])]);
    traced.call(200, Input::Kept { id: 1 });
    assert_eq!(traced.call(300, Input::Timeout), [], "it knows");
    traced.check("later");
}

#[test]
fn pieces_that_come_close_together_are_one_announcement() {
    let mut traced = Traced::new(true);
    traced.query(0, 1, &[1, 2, 3], &[]);
    traced.query(0, 2, &[3, 4], &[]);
    for (now, id) in [(10, 3), (20, 1), (59, 4)] {
        traced.call(now, Input::Kept { id });
    }
    assert_eq!(traced.call(60, Input::Timeout), [(1, vec![3, 1]), (2, vec![3, 4])], "in the order in which they came");
    traced.call(70, Input::Kept { id: 2 });
    assert_eq!(traced.call(120, Input::Timeout), [(1, vec![2])]);
    traced.check("together");
}

#[test]
fn a_piece_that_nobody_asked_about_wakes_nobody() {
    let mut traced = Traced::new(true);
    traced.call(0, Input::Kept { id: 1 });
    assert_eq!(traced.announce.poll_timeout(), None);
    traced.query(1, 1, &[2], &[]);
    traced.call(2, Input::Kept { id: 3 });
    assert_eq!(traced.announce.poll_timeout(), None);
    traced.check("nobody-asked");
}

#[test]
fn who_said_that_it_holds_a_piece_is_not_told_of_it() {
    let mut traced = Traced::new(true);
    traced.query(0, 1, &[1, 2], &[]);
    traced.query(0, 2, &[1], &[]);
    traced.call(1, Input::Kept { id: 1 });
    traced.call(2, Input::HeldBy { peer: 1, ids: vec![1] });
    assert_eq!(traced.call(51, Input::Timeout), [(2, vec![1])], "it has the piece from somebody else by now");
    traced.check("held-by");
}

#[test]
fn a_peer_that_is_gone_is_told_nothing() {
    let mut traced = Traced::new(true);
    traced.query(0, 1, &[1], &[]);
    traced.call(1, Input::Kept { id: 1 });
    traced.call(2, Input::Closed { peer: 1 });
    assert_eq!(traced.call(51, Input::Timeout), []);
    traced.call(60, Input::Kept { id: 1 });
    assert_eq!(traced.announce.poll_timeout(), None);
    traced.check("closed");
}

#[test]
fn who_uploads_nothing_holds_nothing_for_others() {
    let mut traced = Traced::new(false);
    assert_eq!(traced.query(0, 1, &[1, 2], &[1]), [(1, vec![])]);
    traced.call(1, Input::Kept { id: 2 });
    assert_eq!(traced.announce.poll_timeout(), None);
    traced.check("no-uploads");
}

#[test]
fn the_interest_of_one_peer_is_bounded() {
    let mut announce = Announce::new(true);
    let max = u32::try_from(INTERESTED_IDS_MAX).unwrap();
    announce.handle_query(1, &replay::ids(&(0..max - 1).collect::<Vec<_>>()), |_| false);
    announce.handle_query(1, &replay::ids(&[max - 1, max]), |_| false);
    announce.handle_kept(0, replay::id(max));
    assert_eq!(announce.poll_timeout(), None, "one more than the limit");
    announce.handle_kept(0, replay::id(max - 1));
    assert_eq!(announce.poll_timeout(), Some(HAVE_MS));
}

#[test]
fn what_is_announced_fits_a_frame() {
    let mut announce = Announce::new(true);
    let ids: Vec<PieceId> = (0..=u32::try_from(QUERY_IDS_MAX).unwrap()).map(replay::id).collect();
    announce.handle_query(1, &ids, |_| false);
    for id in ids {
        announce.handle_kept(0, id);
    }
    announce.poll();
    announce.handle_timeout(HAVE_MS);
    let lens: Vec<usize> = std::iter::from_fn(|| announce.poll()).map(|AnnounceOutput::Have { ids, .. }| ids.len()).collect();
    assert_eq!(lens, [QUERY_IDS_MAX, 1]);
}
