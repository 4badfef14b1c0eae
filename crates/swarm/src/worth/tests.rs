//! Trials in virtual time.

use super::*;
use crate::{
    admission::{Decision, Reason},
    limits::{TIMED_VISITS_MAX, WORTH_SAMPLES_MAX},
    random::Random,
};

const PAGE: &str = "/";
const BROWSER: Engine = Engine::Chromium;

/// Visitors who come one after the other, each from a network of its own.
struct World {
    worth: Worth,
    now_ms: u64,
    random: Random,
    next: u32,
}

impl World {
    fn new() -> Self {
        Self { worth: Worth::default(), now_ms: 0, random: Random::new(1), next: 0 }
    }

    fn timed(&mut self, arm: Arm) -> Timed<'static> {
        self.next += 1;
        let kind = match arm {
            Arm::Thin => AnswerKind::Thin,
            Arm::Full => AnswerKind::Full,
            Arm::Holdout => AnswerKind::Plain,
        };
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + self.next * 256).into();
        Timed { browser: u64::from(self.next), address, page: PAGE, engine: BROWSER, kind, arm: Some(arm), is_timed: true }
    }

    /// Somebody comes, and the app is there after about this time.
    fn visit(&mut self, arm: Arm, about_ms: u64, bytes: u64) {
        let timed = self.timed(arm);
        self.worth.handle_document(self.now_ms, &timed, false);
        self.worth.handle_sent(timed.browser, PAGE, bytes);
        let app_ms = about_ms * (80 + self.random.next_u64() % 40) / 100;
        self.now_ms += app_ms;
        let told = self.worth.handle_app(self.now_ms, timed.browser, Some(PAGE), u32::try_from(app_ms).unwrap());
        assert_eq!(told, Some(timed.kind));
    }

    fn visits(&mut self, count: usize, thin_ms: u64, whole_ms: u64) {
        for _ in 0..count {
            self.visit(Arm::Thin, thin_ms, 10_000);
            self.visit(Arm::Holdout, whole_ms, 1_000_000);
        }
    }

    fn is_worth_it(&mut self) -> bool {
        // Of those with whom it is tried again.
        self.worth.is_worth_it(self.now_ms, PAGE, BROWSER, Some(Lot::new(0)))
    }

    fn trial(&self) -> TrialSummary {
        assert_eq!(self.worth.trials(), [(PAGE.to_owned(), BROWSER)]);
        self.worth.summary(self.now_ms, PAGE, BROWSER).unwrap()
    }
}

#[test]
fn thin_answers_stay_where_they_are_faster() {
    let mut world = World::new();
    world.visits(300, 800, 1_000);
    assert!(world.is_worth_it());
    let trial = world.trial();
    assert_eq!((trial.state, trial.against, trial.again_ms), ("on", None, None));
    let [thin, full, holdout] = trial.arms;
    assert_eq!((thin.visits, full, holdout.visits), (200, ArmSummary::default(), 200));
    assert!(thin.app_ms_p50 < holdout.app_ms_p50 && thin.app_ms_p95 < holdout.app_ms_p95);
    assert_eq!((thin.origin_bytes_p50, holdout.origin_bytes_p50), (Some(10_000), Some(1_000_000)));
}

#[test]
fn just_as_fast_is_fast_enough_and_a_frame_is_forgiven() {
    let mut world = World::new();
    world.visits(300, 1_000, 1_000);
    assert!(world.is_worth_it());
    let mut world = World::new();
    world.visits(300, 110, 100);
    assert!(world.is_worth_it(), "nobody sees 10 ms");
}

#[test]
fn thin_answers_end_where_they_are_slower_and_only_there() {
    let mut world = World::new();
    world.visits(60, 1_400, 1_000);
    assert!(!world.is_worth_it());
    let now_ms = world.now_ms;
    assert!(world.worth.is_worth_it(now_ms, PAGE, Engine::Firefox, None) && world.worth.is_worth_it(now_ms, "/other", BROWSER, None));
    assert!(world.worth.is_worth_it(now_ms, "", BROWSER, None), "a page that sorts before all others");
    assert_eq!((world.trial().state, world.trial().against), ("off", Some(Against::Slower)));
    assert_eq!(world.worth.off(), (1, BTreeMap::from([("slower", 1)])));
}

#[test]
fn few_visits_prove_nothing() {
    let mut world = World::new();
    world.visits(WORTH_SAMPLES_MIN - 1, 5_000, 1_000);
    assert!(world.is_worth_it());
    world.visits(WORTH_LOOK_VISITS, 5_000, 1_000);
    assert!(!world.is_worth_it());
}

#[test]
fn the_lot_decides_with_whom_it_is_compared_and_without_one_it_is_who_came_first() {
    let mut world = World::new();
    for _ in 0..60 {
        world.visit(Arm::Thin, 1_000, 10_000);
        world.visit(Arm::Full, 500, 1_000_000);
        world.visit(Arm::Holdout, 1_000, 1_000_000);
    }
    // The first looks were at those who came whole before there were enough others; from then on at the fair ones.
    let mut fair = World::new();
    for _ in 0..60 {
        fair.visit(Arm::Holdout, 1_000, 1_000_000);
    }
    for _ in 0..60 {
        fair.visit(Arm::Thin, 1_000, 10_000);
        fair.visit(Arm::Full, 500, 1_000_000);
    }
    assert!(fair.is_worth_it());
    let mut unfair = World::new();
    for _ in 0..60 {
        unfair.visit(Arm::Thin, 1_000, 10_000);
        unfair.visit(Arm::Full, 500, 1_000_000);
    }
    assert!(!unfair.is_worth_it());
}

#[test]
fn who_gives_up_counts_as_slow() {
    let mut world = World::new();
    for number in 0..150 {
        if number % 3 > 0 {
            world.visit(Arm::Thin, 500, 10_000);
        } else {
            let timed = world.timed(Arm::Thin);
            world.worth.handle_document(world.now_ms, &timed, false);
            world.now_ms += 3_000;
            let plain = Timed { kind: AnswerKind::Plain, arm: None, ..timed };
            world.worth.handle_document(world.now_ms, &plain, true);
        }
        world.visit(Arm::Holdout, 700, 1_000_000);
    }
    assert!(!world.is_worth_it());
    assert_eq!(world.trial().against, Some(Against::SlowTail));
}

#[test]
fn thin_visits_that_save_the_server_nothing_end_too() {
    let mut world = World::new();
    for _ in 0..60 {
        world.visit(Arm::Thin, 500, 1_000_000);
        world.visit(Arm::Holdout, 700, 1_000_000);
    }
    assert!(!world.is_worth_it());
    assert_eq!(world.trial().against, Some(Against::NothingSaved));
}

#[test]
fn it_is_tried_again_with_a_share_and_each_failure_doubles_the_wait() {
    let mut world = World::new();
    let mut waits = Vec::new();
    for _ in 0..7 {
        world.visits(60, 1_400, 1_000);
        assert!(!world.is_worth_it());
        let wait_ms = world.trial().again_ms.unwrap();
        let (before, after) = (world.now_ms + wait_ms - 1, world.now_ms + wait_ms);
        assert!(!world.worth.is_worth_it(before, PAGE, BROWSER, None));
        world.now_ms = after;
        assert!(world.is_worth_it());
        let late = Lot::new(u64::MAX);
        assert!(!world.worth.is_worth_it(after, PAGE, BROWSER, Some(late)), "the others are compared with");
        assert_eq!((world.trial().state, world.trial().arms[0].visits), ("again", 0));
        waits.push((wait_ms + 200_000) / WORTH_WAIT_MS);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 24, 24]);
}

#[test]
fn what_proves_itself_again_is_for_everybody_and_forgets_its_failures() {
    let mut world = World::new();
    world.visits(60, 1_400, 1_000);
    world.now_ms += WORTH_WAIT_MS;
    assert!(world.is_worth_it());
    world.visits(WORTH_PROVEN_VISITS + WORTH_LOOK_VISITS, 700, 1_000);
    assert_eq!((world.trial().state, world.trial().against), ("on", None));
    assert!(world.worth.is_worth_it(world.now_ms, PAGE, BROWSER, Some(Lot::new(u64::MAX))));
    world.visits(WORTH_SAMPLES_MAX, 1_400, 1_000);
    assert!(world.trial().again_ms.unwrap() <= WORTH_WAIT_MS);
}

#[test]
fn a_page_is_heard_once_and_not_of_times_that_cannot_be() {
    let mut worth = Worth::default();
    let timed = World::new().timed(Arm::Thin);
    let begin = |worth: &mut Worth| worth.handle_document(1_000, &timed, false);
    begin(&mut worth);
    assert_eq!(worth.handle_app(2_000, timed.browser, Some("/other"), 500), None, "of another page");
    assert_eq!(worth.handle_app(2_000, timed.browser, Some(PAGE), 0), None);
    assert_eq!(worth.handle_app(2_000, timed.browser, Some(PAGE), 11_001), None, "longer than the visit");
    assert_eq!(worth.handle_app(2_000, timed.browser, None, 11_000), Some(AnswerKind::Thin));
    assert_eq!(worth.handle_app(2_000, timed.browser, Some(PAGE), 500), None, "twice");
    begin(&mut worth);
    assert_eq!(worth.handle_app(1_000 + 300_001, timed.browser, Some(PAGE), 500), None, "too late");
    assert_eq!(worth.handle_app(2_000, 77, Some(PAGE), 500), None, "nobody");
    worth.handle_document(1_000, &Timed { is_timed: false, ..timed.clone() }, false);
    assert_eq!(worth.handle_app(2_000, timed.browser, Some(PAGE), 500), None, "its clock began anew");
}

#[test]
fn a_reload_is_no_failure() {
    let mut world = World::new();
    for _ in 0..60 {
        let timed = world.timed(Arm::Thin);
        world.worth.handle_document(world.now_ms, &timed, false);
        let again = Timed { arm: None, ..timed };
        world.worth.handle_document(world.now_ms + 10, &again, false);
    }
    assert_eq!(world.worth.trials(), []);
}

#[test]
fn as_many_are_waited_for_and_tried_as_the_limits_say() {
    let mut world = World::new();
    for _ in 0..TIMED_VISITS_MAX + 5 {
        let timed = world.timed(Arm::Thin);
        world.worth.handle_document(0, &timed, false);
    }
    assert_eq!(world.worth.timings.len(), TIMED_VISITS_MAX);
    assert_eq!(world.worth.handle_app(100, 5, None, 50), None, "the oldest were forgotten");
    assert_eq!(world.worth.handle_app(100, 6, None, 50), Some(AnswerKind::Thin));
    let late = world.timed(Arm::Thin);
    world.worth.handle_document(300_001, &late, false);
    assert_eq!(world.worth.timings.len(), 1, "and whoever said nothing for long");
    let mut worth = Worth::default();
    for number in 0..=WORTH_TRIALS_MAX as u64 {
        let page = format!("/{number}");
        let timed = Timed { browser: number, page: &page, ..world.timed(Arm::Thin) };
        worth.handle_document(number, &timed, false);
        worth.handle_app(number + 1, number, None, 1);
    }
    let pages: Vec<_> = worth.trials().into_iter().map(|(page, _)| page).collect();
    assert_eq!(pages.len(), WORTH_TRIALS_MAX);
    assert!(!pages.contains(&"/0".to_owned()) && pages.contains(&"/1".to_owned()));
}

#[test]
fn every_answer_that_a_first_visit_may_get_is_compared_or_not() {
    let compared = |decision| Arm::of(decision).map(Arm::name);
    assert_eq!(compared(Decision::Thin(Reason::Crowd)), Some("thin"));
    assert_eq!(compared(Decision::Full(Reason::NotWorthIt)), Some("full"));
    assert_eq!(compared(Decision::Plain(Reason::Holdout)), Some("holdout"));
    for decision in [Decision::Thin(Reason::Stored), Decision::Full(Reason::Unchanged), Decision::Plain(Reason::Requested), Decision::Asset]
    {
        assert_eq!(compared(decision), None);
    }
}
