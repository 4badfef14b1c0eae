//! One of a crowd: what it takes from the origin, and which piece of a peer comes first.

use viral_wire::{Piece, PieceId};

use crate::fetch::config::{SHARE_RETRY_MS, SHARE_STALL_MS};
use crate::fetch::{Accepted, Fetch, FetchConfig, Output, PeerKey, Source};
use crate::replay;

const LEN: u32 = 32_768;

struct Crowd {
    fetch: Fetch,
    now: u64,
    pieces: Vec<Piece>,
}

impl Crowd {
    fn of(count: u32) -> Self {
        let mut fetch = Fetch::new(FetchConfig { seed: 5 });
        let pieces: Vec<Piece> = (0..count).map(|number| replay::piece(number, LEN)).collect();
        fetch.handle_crowd(0, true);
        fetch.add_pieces(0, &pieces);
        Self { fetch, now: 0, pieces }
    }

    fn id(&self, at: usize) -> PieceId {
        self.pieces[at].id()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.fetch.poll()).collect()
    }

    fn share(&mut self, places: &[usize]) -> Vec<Output> {
        let ids: Vec<PieceId> = places.iter().map(|&at| self.id(at)).collect();
        self.fetch.handle_share(self.now, &ids);
        self.outputs()
    }

    fn arrive(&mut self, source: Source, at: usize) -> Vec<Output> {
        let id = self.id(at);
        assert_eq!(self.fetch.accept(source, id), Accepted::Take { len: LEN });
        self.fetch.handle_piece(self.now, source, id, true);
        self.outputs()
    }

    /// A peer that holds these, and has said so.
    fn peer(&mut self, peer: PeerKey, places: &[usize]) -> Vec<Output> {
        self.fetch.handle_open(self.now, peer);
        self.fetch.handle_hello(self.now, peer, false);
        self.outputs();
        let ids: Vec<PieceId> = places.iter().map(|&at| self.id(at)).collect();
        self.fetch.handle_have(self.now, peer, &ids);
        self.outputs()
    }

    fn wait(&mut self, ms: u64) -> Vec<Output> {
        self.now += ms;
        self.fetch.handle_timeout(self.now);
        self.outputs()
    }
}

fn asked_of_origin(outputs: &[Output]) -> Vec<PieceId> {
    let ids = |output: &Output| if let Output::AskOrigin { ids } = output { ids.clone() } else { Vec::new() };
    outputs.iter().flat_map(ids).collect()
}

fn wanted_of(outputs: &[Output], from: PeerKey) -> Vec<PieceId> {
    let ids = |output: &Output| if let Output::Want { peer, ids } = output { (*peer == from).then(|| ids.clone()) } else { None };
    outputs.iter().filter_map(ids).flatten().collect()
}

#[test]
fn the_origin_is_asked_for_the_share_and_for_nothing_else() {
    let mut crowd = Crowd::of(50);
    assert_eq!(crowd.outputs().iter().filter(|output| matches!(output, Output::AskShare { done: 0 })).count(), 1);
    let outputs = crowd.share(&[7, 8]);
    assert_eq!(asked_of_origin(&outputs), [crowd.id(7), crowd.id(8)]);
    assert!(outputs.contains(&Output::AskShare { done: 0 }), "all of it is under way: time for more");
}

#[test]
fn what_is_held_of_a_share_is_reported_in_order_and_by_halves() {
    let mut crowd = Crowd::of(50);
    crowd.outputs();
    crowd.share(&[1, 2, 3, 4]);
    assert!(!crowd.arrive(Source::Origin, 2).iter().any(|output| matches!(output, Output::AskShare { .. })), "the first is missing still");
    assert!(crowd.arrive(Source::Origin, 1).contains(&Output::AskShare { done: 2 }));
}

#[test]
fn the_rarest_piece_of_a_peer_comes_first() {
    let mut crowd = Crowd::of(50);
    crowd.outputs();
    crowd.peer(1, &[10]);
    crowd.peer(2, &[10, 11]);
    let wanted = crowd.peer(3, &[10, 11, 12]);
    assert_eq!(wanted_of(&wanted, 3).first(), Some(&crowd.id(12)));
}

#[test]
fn the_origin_stands_in_for_a_crowd_that_gives_nothing_at_all() {
    let mut crowd = Crowd::of(50);
    crowd.outputs();
    crowd.share(&[]);
    assert!(asked_of_origin(&crowd.wait(SHARE_STALL_MS - 1)).is_empty());
    assert_eq!(asked_of_origin(&crowd.wait(1)).len(), 50);
}

#[test]
fn an_empty_share_is_asked_for_again_later() {
    let mut crowd = Crowd::of(50);
    crowd.outputs();
    assert!(crowd.share(&[]).is_empty());
    assert_eq!(crowd.fetch.poll_timeout(), Some(SHARE_RETRY_MS));
    assert!(crowd.wait(SHARE_RETRY_MS).contains(&Output::AskShare { done: 0 }));
}

#[test]
fn outside_a_crowd_the_origin_stands_in_at_once() {
    let mut crowd = Crowd::of(50);
    crowd.outputs();
    crowd.fetch.handle_crowd(0, false);
    assert!(!asked_of_origin(&crowd.outputs()).is_empty());
}
