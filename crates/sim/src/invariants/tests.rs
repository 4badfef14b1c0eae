use viral_wire::Digest;

use super::*;

fn id() -> PieceId {
    Digest([7; 32]).piece_id()
}

#[test]
fn what_is_not_verified_and_what_is_asked_again_is_found() {
    let mut invariants = Invariants::default();
    invariants.delivered(1, id(), true);
    let mut book = OriginBook::default();
    book.ask(&mut invariants, 1, id(), false);
    book.failed(id());
    book.ask(&mut invariants, 1, id(), false);
    assert_eq!(invariants.broken, None);
    invariants.step(5);
    book.ask(&mut invariants, 1, id(), false);
    let broken = invariants.broken.clone().unwrap();
    assert_eq!((broken.step, broken.at), (1, 5));
    assert_eq!(broken.violation, Violation::AskedAgain { visitor: 1, id: id(), asked: 3, failed: 1 });
    invariants.delivered(1, id(), false);
    assert_eq!(invariants.broken, Some(broken), "the first one counts");
    let mut other = Invariants::default();
    other.delivered(1, id(), false);
    assert!(matches!(other.broken.unwrap().violation, Violation::Unverified { visitor: 1, .. }));
    let mut other = Invariants::default();
    OriginBook::default().ask(&mut other, 1, id(), true);
    assert!(matches!(other.broken.unwrap().violation, Violation::AskedForHeld { .. }));
}

#[test]
fn a_piece_has_one_taker_until_it_is_held_left_or_late() {
    let manifest = Digest([1; 32]);
    let grant = |peer, places| Grant { peer, manifest, places };
    let broken = |calls: &dyn Fn(&mut Invariants)| {
        let mut invariants = Invariants::default();
        invariants.granted(0, &grant(1, &[4, 5]));
        calls(&mut invariants);
        invariants.broken.is_some()
    };
    assert!(broken(&|book| book.granted(9_999, &grant(2, &[5]))));
    assert!(!broken(&|book| book.granted(10_000, &grant(2, &[5]))), "it lapsed");
    assert!(!broken(&|book| {
        book.lease_left(1);
        book.granted(5, &grant(2, &[5]));
    }));
    assert!(!broken(&|book| {
        book.lease_done(1, manifest, 2);
        book.granted(5, &grant(2, &[5]));
    }));
    assert!(broken(&|book| {
        book.lease_done(1, manifest, 1);
        book.granted(5, &grant(2, &[5]));
    }));
    assert!(!broken(&|book| book.granted(5, &grant(1, &[5]))), "the same one again");
}

#[test]
fn a_long_queue_and_a_loop_without_time_are_found() {
    let mut invariants = Invariants::default();
    invariants.queue(3, "offers", 4, 4);
    assert_eq!(invariants.broken, None);
    invariants.queue(3, "offers", 5, 4);
    assert!(invariants.broken.unwrap().to_string().contains("offers is 5, over its limit of 4"));
}
