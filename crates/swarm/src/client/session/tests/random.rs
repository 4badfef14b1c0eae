//! Any order of events.

use proptest::prelude::*;

use super::*;

/// One thing that may happen, drawn at random: what, of whom, and which piece.
fn happens(visitor: &mut Visitor, (what, number, id): (u8, u64, u32)) {
    let ids = replay::ids(&[id, id + 1]);
    let offer = Offer { peer: peer(number), offer: 1, description: description(), push: None, far: false, beyond: None };
    let frame = match what {
        0 => return drop(visitor.hears(welcome())),
        1 => return drop(visitor.hears(named())),
        2 if visitor.session.exchange.peers.get(number).is_none() => {
            return drop(visitor.hears(TrackerToPeer::Peers { offers: vec![offer] }));
        }
        3 => return drop(visitor.hears(TrackerToPeer::Share { manifest: digest(), pieces: vec![id] })),
        4 => return drop(visitor.hears(TrackerToPeer::OffersWanted { count: 3 })),
        5 => return drop(visitor.does(Session::handle_lost)),
        6 => return drop(visitor.opens(number)),
        7 => return drop(visitor.does(|session, now| session.handle_closed(now, number))),
        8 => return drop(visitor.is_given_manifest()),
        9 => return drop(visitor.is_given(&[id])),
        10 => return drop(visitor.does(|session, now| session.handle_origin_served(now, &ids))),
        11 => Frame::Hello { manifests: vec![digest()] },
        12 => Frame::Have { ids },
        13 => Frame::Want { ids },
        14 => Frame::Query { ids },
        15 => piece(id),
        16 => manifest_part(),
        17 => Frame::WantManifest { manifest: digest() },
        _ => return visitor.passes(visitor.now + u64::from(id) * 400).clear(),
    };
    visitor.is_sent(number, frame);
}

proptest! {
    #[test]
    fn in_any_order_of_events_nobody_is_woken_in_the_past_and_what_is_counted_is_held(
        in_crowd: bool,
        events in prop::collection::vec((0..22_u8, 1..5_u64, 0..4_u32), 0..120),
    ) {
        let mut visitor = Visitor::new(|config| config.in_crowd = in_crowd, 0);
        for event in events {
            happens(&mut visitor, event);
        }
        let (session, totals) = (&visitor.session, visitor.session.totals());
        prop_assert_eq!(totals.bytes_from_peers + totals.bytes_from_origin, session.progress().bytes_held);
        prop_assert_eq!(session.exchange.serving.held().bytes(), session.progress().bytes_held);
        prop_assert!(session.opened() <= 4);
    }
}
