//! Who lies, floods or loses something, and what becomes of it.

use super::*;

#[test]
fn a_liar_about_the_manifest_is_reported_and_shown_out() {
    let mut visitor = thin(1);
    visitor.hears(welcome());
    visitor.opens(1);
    let forged = Frame::ManifestPart { manifest: digest(), offset: 0, total: 3, body: vec![1, 2, 3] };
    let said = visitor.is_sent(1, forged);
    assert_eq!(said[..3], ["report 1 Forged", "close 1 Some(Fault)", "closed 1"]);
    assert_eq!(visitor.session.totals().bans, 1);
}

#[test]
fn an_unasked_piece_from_a_stranger_ends_the_connection() {
    let mut visitor = thin(1);
    visitor.opens(1);
    visitor.is_given_manifest();
    assert_eq!(visitor.is_sent(1, piece(9))[0], "close 1 Some(Fault)");
}

#[test]
fn pieces_that_come_before_the_manifest_are_used_once_it_is_here() {
    let push = Push { manifest: digest(), stripe: 0, stripes: 1, budget: 10_000 };
    let mut visitor = thin(0);
    visitor.hears(welcome());
    let offer = Offer { peer: peer(7), offer: 1, description: description(), push: Some(push), far: false, beyond: None };
    visitor.hears(TrackerToPeer::Peers { offers: vec![offer] });
    assert!(!visitor.opens(7).contains(&"7 want-manifest".to_owned()), "it comes with the push");
    assert_eq!(visitor.is_sent(7, piece(0)), Vec::<String>::new());
    let said = visitor.is_sent(7, manifest_part());
    assert!(said.contains(&"verify 0".to_owned()), "{said:?}");
    assert_eq!(visitor.session.progress().held, 1);
}

/// A visitor that dialled a peer which pushes everything.
fn pushed_to() -> Visitor {
    let push = Push { manifest: digest(), stripe: 0, stripes: 1, budget: 10_000 };
    let mut visitor = thin(0);
    visitor.hears(welcome());
    visitor.hears(TrackerToPeer::Peers {
        offers: vec![Offer { peer: peer(7), offer: 1, description: description(), push: Some(push), far: false, beyond: None }],
    });
    visitor.opens(7);
    visitor
}

#[test]
fn a_piece_that_is_heard_together_with_the_manifest_is_used() {
    let mut visitor = pushed_to();
    let said = visitor.does(|session, now| {
        session.handle_frame(now, 7, manifest_part());
        session.handle_frame(now, 7, piece(0));
    });
    assert!(said.contains(&"verify 0".to_owned()) && !said.contains(&"close 7 Some(Fault)".to_owned()), "{said:?}");
}

#[test]
fn a_forger_that_leaves_in_the_same_breath_is_reported() {
    let mut visitor = pushed_to();
    visitor.is_sent(7, manifest_part());
    let said = visitor.does(|session, now| {
        session.handle_frame(now, 7, piece(0));
        let arrived = session.poll_piece().expect("it was pushed");
        assert!(!session.handle_verified(now, Source::Peer(arrived.peer), arrived.id, false));
        session.handle_frame(now, 7, Frame::Bye { reason: viral_wire::frame::ByeReason::Leaving });
    });
    assert!(said.contains(&"report 7 Forged".to_owned()), "{said:?}");
    assert_eq!(visitor.session.totals().bans, 1);
}

#[test]
fn who_floods_and_leaves_in_the_same_breath_is_reported() {
    let mut visitor = thin(1);
    visitor.hears(welcome());
    visitor.opens(1);
    let said = visitor.does(|session, now| {
        for _ in 0..=viral_wire::limits::HELLO_MANIFESTS_MAX {
            session.handle_frame(now, 1, Frame::WantManifest { manifest: digest() });
        }
        session.handle_frame(now, 1, Frame::Bye { reason: viral_wire::frame::ByeReason::Leaving });
    });
    assert!(said.contains(&"report 1 Malformed".to_owned()), "{said:?}");
}

#[test]
fn a_piece_that_the_store_lost_is_fetched_again_however_often_the_origin_fails() {
    let mut visitor = thin(0);
    visitor.hears(welcome());
    visitor.hears(named());
    visitor.is_given_manifest();
    visitor.is_given(&PIECES);
    assert!(visitor.session.progress().done);
    let pieces = visitor.session.current().unwrap().pieces.clone();
    visitor.does(Session::reset_fetch);
    visitor.does(|session, now| session.add_pieces(now, &pieces, |id| replay::number(*id) != 1));
    let lost = replay::ids(&[1]);
    for _ in 0..3 {
        visitor.does(|session, now| session.handle_origin_served(now, &lost));
        assert!(visitor.session.poll_timeout().is_some(), "it is asked for again");
        let until = visitor.now + 20_000;
        let happened = visitor.passes(until);
        assert!(happened.iter().any(|(_, what)| what == "ask origin for 1"), "{happened:?}");
    }
}
