//! Each reason once, with a tracker, a crowd and a page as they are.

use std::collections::BTreeSet;

use viral_wire::signal::{PeerToTracker, ReadyOffer};
use viral_wire::{Description, Piece};

use super::*;
use crate::{
    admission::{CookieState, Gpc, tests::visit},
    coverage::CoverageCache,
    tracker::TrackerConfig,
};

/// 2 MB, of which the shared line carries 1 MB/s.
const APP_BYTES: u64 = 2_000_000;

pub(in crate::admission) const PAGE: PageFacts<'static> =
    PageFacts { path: "/", manifest: Digest([7; 32]), app_bytes: APP_BYTES, size: Size::Known { bytes: APP_BYTES } };

pub(in crate::admission) struct World {
    pub(in crate::admission) tracker: Tracker,
    crowds: Crowds,
    pub(in crate::admission) coverage: CoverageCache,
}

impl World {
    pub(in crate::admission) fn new(line: u64) -> Self {
        let mut coverage = CoverageCache::default();
        coverage.insert(PAGE.manifest, &[Piece { digest: Digest::of(b"piece"), len: 1000 }]);
        Self { tracker: Tracker::new(TrackerConfig::default(), 7), crowds: Crowds::new(line), coverage }
    }

    /// Somebody who has all of the page and left this many offers.
    fn seeder(&mut self, count: u32) {
        self.seeder_at(visitor().addr, count);
    }

    /// The same elsewhere.
    pub(in crate::admission) fn seeder_at(&mut self, addr: ClientAddr, count: u32) {
        let fingerprint = Digest::of(b"certificate");
        let text = format!(r#"["ufrag","passwordpasswordpassword","{fingerprint}","actpass",262144,["u|192.0.2.7|50001|zzzzz|h"],[]]"#);
        let description = Description::parse(&text).unwrap();
        let offers = (0..count).map(|offer| ReadyOffer { offer, description: description.clone() }).collect();
        let peer = self.tracker.handle_join(0, addr);
        for message in [
            PeerToTracker::Register { page: "/".to_owned(), manifest: Some(PAGE.manifest), ticket: None, slots: 4 },
            PeerToTracker::Held { manifest: PAGE.manifest, pieces: 1, bytes: 1000 },
            PeerToTracker::Offers { offers },
        ] {
            self.tracker.handle_message(0, peer, message, &self.coverage);
        }
    }

    pub(in crate::admission) fn admit(&mut self, facts: &VisitFacts, page: Option<&PageFacts<'_>>) -> Admission {
        let swarm = Swarm { tracker: &mut self.tracker, crowds: &mut self.crowds, coverage: &self.coverage };
        admit(0, facts, page, |_| false, &Policy::default(), swarm)
    }
}

/// A browser that navigates to the page.
pub(in crate::admission) fn visitor() -> VisitFacts {
    VisitFacts {
        evidence: visit(),
        addr: ClientAddr::at([192, 0, 2, 1].into()),
        ticket: Ticket([1; 16]),
        peers_wanted: 4,
        is_head: false,
        was_here: false,
        is_proxied: false,
        may_share: true,
        origin_sent: 0,
        foreign: Vec::new(),
    }
}

type Change = fn(&mut VisitFacts, &mut Option<PageFacts<'static>>);

/// What differs from a visit to a page that somebody near has, and the decision. Every reason is met.
const ROWS: &[(&str, Change, Decision)] = &[
    ("somebody near has it", |_, _| (), Decision::Thin(Reason::PeerNear)),
    ("nobody is wanted", |facts, _| facts.peers_wanted = 0, Decision::Full(Reason::NoPeerNear)),
    ("its size is not known", |_, page| set(page, |page| page.size = Size::Unknown { at_least: 1 }), Decision::Full(Reason::Learning)),
    ("it has the full answer", |facts, _| facts.evidence.unchanged = true, Decision::Full(Reason::Unchanged)),
    ("an iframe", |facts, _| facts.evidence.fetch_dest = Some("iframe".to_owned()), Decision::Asset),
    ("saved, not shown", |facts, _| facts.evidence.page_viral = PageFitness::NotHtml, Decision::Asset),
    ("it does not pay", |facts, _| facts.evidence.is_not_worth_it = true, Decision::Full(Reason::NotWorthIt)),
    ("quiet hours", |facts, _| facts.evidence.is_quiet = true, Decision::Full(Reason::QuietHours)),
    ("asked for plain", |facts, _| facts.evidence.forced_plain = true, Decision::Plain(Reason::Requested)),
    ("keeps nothing", |facts, _| facts.evidence.storage_blocked = true, Decision::Plain(Reason::Storage)),
    ("opted out", |facts, _| facts.evidence.cookie = CookieState::Off, Decision::Plain(Reason::OptOut)),
    ("saves data", |facts, _| facts.evidence.save_data = true, Decision::Plain(Reason::SaveData)),
    ("no browser", |facts, _| facts.evidence.has_sec_fetch = false, Decision::Plain(Reason::NotABrowser)),
    ("a bot", |facts, _| facts.evidence.bot = true, Decision::Plain(Reason::Bot)),
    ("failed before", |facts, _| facts.evidence.cookie = CookieState::Incapable, Decision::Plain(Reason::Incapable)),
    ("would be prompted", |facts, _| facts.evidence.platform_prompts = true, Decision::Plain(Reason::Prompts)),
    ("a small app", |_, page| set(page, |page| page.size = Size::Known { bytes: 1 }), Decision::Plain(Reason::SmallApp)),
    ("its own worker", |facts, _| facts.evidence.page_viral = PageFitness::OwnServiceWorker, Decision::Plain(Reason::OwnServiceWorker)),
    ("its policy", |facts, _| facts.evidence.page_viral = PageFitness::Csp, Decision::Plain(Reason::Csp)),
    ("its encoding", |facts, _| facts.evidence.page_viral = PageFitness::Encoding, Decision::Plain(Reason::Encoding)),
    ("nothing there", |facts, _| facts.evidence.page_viral = PageFitness::NotFound, Decision::Plain(Reason::NotFound)),
    ("no manifest", |_, page| *page = None, Decision::Plain(Reason::NoManifest)),
];

fn set(page: &mut Option<PageFacts<'static>>, change: impl FnOnce(&mut PageFacts<'static>)) {
    change(page.as_mut().unwrap());
}

#[test]
fn each_reason_comes_of_what_is_known() {
    // What a service behind the site answers is never admitted; what is tried out is the policy's.
    let mut met = BTreeSet::from([Reason::Stored, Reason::Crowd, Reason::PassedOn, Reason::Gpc, Reason::NotShareable]);
    met.extend([Reason::Ramp, Reason::Holdout, Reason::Shadow]);
    for (name, change, expected) in ROWS {
        let (mut world, mut facts, mut page) = (World::new(0), visitor(), Some(PAGE));
        world.seeder(2);
        change(&mut facts, &mut page);
        assert_eq!(world.admit(&facts, page.as_ref()).decision(), *expected, "{name}");
        if let Decision::Full(reason) | Decision::Thin(reason) | Decision::Plain(reason) = expected {
            met.insert(*reason);
        }
    }
    assert_eq!(met, Reason::ALL.into_iter().collect(), "every reason is in the table or has a test of its own");
}

#[test]
fn who_asks_for_privacy_takes_where_it_may_and_waits_for_nobody_where_it_may_not() {
    let mut facts = visitor();
    facts.evidence.gpc = true;
    let admit_under = |world: &mut World, gpc| {
        let policy = Policy { gpc, ..Policy::default() };
        let facts = VisitFacts { addr: ClientAddr { share: policy.share_of(true), ..facts.addr }, ..facts.clone() };
        let swarm = Swarm { tracker: &mut world.tracker, crowds: &mut world.crowds, coverage: &world.coverage };
        admit(0, &facts, Some(&PAGE), |_| false, &policy, swarm)
    };
    for gpc in [Gpc::Plain, Gpc::Leech] {
        let mut alone = World::new(1_000_000);
        assert_eq!(
            [(); 2].map(|()| admit_under(&mut alone, gpc)),
            [Admission::Plain(Reason::Gpc), Admission::Plain(Reason::Gpc)],
            "{gpc:?}"
        );
    }
    let mut world = World::new(0);
    world.seeder(2);
    assert_eq!(admit_under(&mut world, Gpc::Plain), Admission::Plain(Reason::Gpc));
    assert!(matches!(admit_under(&mut world, Gpc::Leech), Admission::Thin { .. }));
}

#[test]
fn a_visit_that_a_worker_passed_on_is_plain() {
    let mut facts = visitor();
    facts.evidence.fetch_dest = Some("empty".to_owned());
    assert!(facts.evidence.is_passed_on());
    assert_eq!(World::new(0).admit(&facts, Some(&PAGE)), Admission::Plain(Reason::PassedOn));
}

#[test]
fn who_stores_the_page_needs_nobody() {
    let mut world = World::new(0);
    let swarm = Swarm { tracker: &mut world.tracker, crowds: &mut world.crowds, coverage: &world.coverage };
    let admission = admit(0, &visitor(), Some(&PAGE), |manifest| *manifest == PAGE.manifest, &Policy::default(), swarm);
    assert_eq!(admission, Admission::Stored);
}

#[test]
fn a_thin_visit_is_introduced_and_head_reserves_nobody() {
    let mut world = World::new(0);
    world.seeder(1);
    let head = VisitFacts { is_head: true, ..visitor() };
    assert_eq!(
        [(); 2].map(|()| world.admit(&head, Some(&PAGE))),
        [(); 2].map(|()| Admission::Thin { reason: Reason::PeerNear, offers: Vec::new(), crowd: CrowdRole::None })
    );
    let Admission::Thin { offers, .. } = world.admit(&visitor(), Some(&PAGE)) else { panic!("its one offer is free") };
    assert_eq!(offers.len(), 1);
    let next = VisitFacts { ticket: Ticket([2; 16]), ..visitor() };
    assert_eq!(
        world.admit(&next, Some(&PAGE)),
        Admission::Full { reason: Reason::NoPeerNear, names_manifest: true },
        "the offer is given away"
    );
}

#[test]
fn who_comes_together_over_a_thin_line_shares_a_copy() {
    let mut world = World::new(100_000);
    let full = Admission::Full { reason: Reason::NoPeerNear, names_manifest: true };
    let crowd = |crowd| Admission::Thin { reason: Reason::Crowd, offers: Vec::new(), crowd };
    let head = VisitFacts { is_head: true, ..visitor() };
    assert_eq!(world.admit(&head, Some(&PAGE)), crowd(CrowdRole::Member), "nobody is admitted by HEAD");
    for alone in [VisitFacts { may_share: false, ..visitor() }, VisitFacts { was_here: true, ..visitor() }] {
        assert_eq!(world.admit(&alone, Some(&PAGE)), full, "{alone:?}");
    }
    assert_eq!(world.admit(&visitor(), Some(&PAGE)), crowd(CrowdRole::First));
    let next = VisitFacts { ticket: Ticket([2; 16]), ..visitor() };
    assert_eq!(world.admit(&next, Some(&PAGE)), crowd(CrowdRole::Member));
    let mut native = visitor();
    native.evidence.is_native_peer = true;
    assert_eq!(world.admit(&native, Some(&PAGE)).decision(), Decision::Full(Reason::NoPeerNear), "it joins by itself");
    world.seeder(2);
    let third = VisitFacts { ticket: Ticket([3; 16]), ..visitor() };
    let Admission::Thin { reason, crowd, offers } = world.admit(&third, Some(&PAGE)) else { panic!("somebody has it") };
    assert_eq!((reason, crowd, offers.len()), (Reason::PeerNear, CrowdRole::Member, 1));
}

#[test]
fn of_native_peers_the_first_is_told_the_manifest() {
    let mut world = World::new(0);
    let mut native = visitor();
    native.evidence.is_native_peer = true;
    let names = |world: &mut World, facts: &VisitFacts| world.admit(facts, Some(&PAGE));
    let head = VisitFacts { is_head: true, ..native.clone() };
    let full = |names_manifest| Admission::Full { reason: Reason::NoPeerNear, names_manifest };
    assert_eq!(names(&mut world, &head), full(false));
    assert_eq!(names(&mut world, &native), full(true));
    assert_eq!(names(&mut world, &native), full(false));
    assert_eq!(names(&mut world, &visitor()), full(true), "a browser always is");
}

#[test]
fn who_is_held_back_is_no_member_of_a_crowd_and_still_takes_a_copy() {
    let mut world = World::new(100_000);
    let facts = VisitFacts { evidence: Evidence { is_not_worth_it: true, ..visit() }, ..visitor() };
    for _ in 0..2 {
        let admission = world.admit(&facts, Some(&PAGE));
        assert_eq!(admission, Admission::Full { reason: Reason::NotWorthIt, names_manifest: true });
    }
    assert!(!world.tracker.is_crowded(&PAGE.manifest));
}
