//! A visit of which other servers are asked whether they have peers for it.

use viral_wire::{Digest, limits::OFFERS_PER_LEECHER_MAX};

use super::{
    Decision, Policy, Reason,
    admit::{PageFacts, VisitFacts, evidence_of, seeking_of},
    decide,
};
use crate::{
    coverage::Coverage,
    locality::SharePolicy,
    tracker::{GuestWish, Tracker},
};

/// What this server's own peers leave to be wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// How many others would be better than what is here.
    pub wanted: usize,
    /// Which ones.
    pub wish: GuestWish,
}

/// What other servers are to be asked for, before [`admit`](super::admit) decides a visit with what they gave in [`VisitFacts::foreign`]; none where it is answered without.
pub fn lacks<C: Coverage>(
    now_ms: u64,
    facts: &VisitFacts,
    page: &PageFacts<'_>,
    stores: impl FnOnce(&Digest) -> bool,
    policy: &Policy,
    (tracker, coverage): (&Tracker, &C),
) -> Option<Lack> {
    if facts.is_head || facts.addr.share == SharePolicy::Off {
        return None;
    }
    let mut evidence = evidence_of(facts, Some(page), stores(&page.manifest));
    evidence.is_peer_ready = true;
    if decide(&evidence, policy) != Decision::Thin(Reason::PeerNear) {
        return None;
    }
    let (near, all) = tracker.ready_nearby(now_ms, &seeking_of(facts, page), coverage);
    let wanted = facts.peers_wanted.min(OFFERS_PER_LEECHER_MAX).saturating_sub(near);
    let wish = GuestWish { near_only: all >= facts.peers_wanted, push: all == 0, takes_parts: false };
    (wanted > 0).then_some(Lack { wanted, wish })
}

#[cfg(test)]
mod tests {
    use viral_wire::signal::PeerNumber;

    use super::*;
    use crate::{
        admission::{
            Admission,
            admit::tests::{PAGE, World, visitor},
        },
        tracker::ClientAddr,
    };

    fn lack(world: &World, facts: &VisitFacts) -> Option<Lack> {
        lacks(0, facts, &PAGE, |_| false, &Policy::default(), (&world.tracker, &world.coverage))
    }

    #[test]
    fn others_are_asked_as_far_as_nobody_is_here() {
        let nobody = World::new(0);
        let wish = GuestWish { near_only: false, push: true, takes_parts: false };
        assert_eq!(lack(&nobody, &visitor()), Some(Lack { wanted: 4, wish }));
        let mut one = World::new(0);
        one.seeder_at(ClientAddr::at([192, 0, 2, 1].into()), 1);
        let wish = GuestWish { push: false, ..wish };
        assert_eq!(lack(&one, &visitor()), Some(Lack { wanted: 3, wish }), "who is here pushes already");
        let mut far = World::new(0);
        for network in 1..=4 {
            far.seeder_at(ClientAddr::at([198, 51, network, 1].into()), 1);
        }
        assert_eq!(lack(&far, &visitor()), Some(Lack { wanted: 4, wish: GuestWish { near_only: true, ..wish } }));
        for _ in 0..4 {
            far.seeder_at(ClientAddr::at([192, 0, 2, 1].into()), 1);
        }
        assert_eq!(lack(&far, &visitor()), None);
    }

    #[test]
    fn nobody_asks_for_who_is_not_answered_thin() {
        let world = World::new(0);
        let mut plain = visitor();
        plain.evidence.forced_plain = true;
        let off = VisitFacts { addr: ClientAddr { share: SharePolicy::Off, ..visitor().addr }, ..visitor() };
        for facts in [VisitFacts { is_head: true, ..visitor() }, plain, off] {
            assert_eq!(lack(&world, &facts), None);
        }
        assert_eq!(
            lacks(0, &visitor(), &PAGE, |_| true, &Policy::default(), (&world.tracker, &world.coverage)),
            None,
            "it stores the page"
        );
    }

    #[test]
    fn foreign_offers_make_a_visit_thin_and_the_near_come_first() {
        let offers = |world: &mut World, facts: &VisitFacts| {
            let Admission::Thin { reason: Reason::PeerNear, offers, .. } = world.admit(facts, Some(&PAGE)) else {
                panic!("it is not thin")
            };
            offers
        };
        let mut elsewhere = World::new(0);
        elsewhere.tracker.set_server(crate::cluster::ServerNumber(7));
        elsewhere.seeder_at(ClientAddr::at([192, 0, 2, 1].into()), 1);
        elsewhere.seeder_at(ClientAddr::at([198, 51, 100, 1].into()), 1);
        let foreign = offers(&mut elsewhere, &visitor());
        assert_eq!(foreign.iter().map(|offer| offer.far).collect::<Vec<_>>(), [false, true]);
        let facts = VisitFacts { foreign: foreign.clone(), ..visitor() };
        assert_eq!(offers(&mut World::new(0), &facts), foreign, "nobody is here");
        let mut here = World::new(0);
        here.seeder_at(ClientAddr::at([203, 0, 113, 1].into()), 1);
        let all = offers(&mut here, &facts);
        assert_eq!(all.iter().map(|offer| offer.far).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(all[0], foreign[0]);
        let twice: std::collections::BTreeSet<PeerNumber> = all.iter().map(|offer| offer.peer).collect();
        assert_eq!(twice.len(), 3);
    }
}
