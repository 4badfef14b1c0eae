//! Random visitors: no bound is ever exceeded, and nothing comes out that was not sent.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const CONFIG: VisitsConfig =
    VisitsConfig { browsers_max: 5, browsers_per_network_max: 3, visits_per_browser_max: 2, paths_per_visit_max: 6, paths_max: 30 };

const ADDRESSES: [&str; 4] = [HERE, "203.0.113.9", "198.51.100.1", "2001:db8::1"];

#[derive(Debug, Clone)]
enum Step {
    Open(u64, usize, u8, bool, bool),
    Ask(u64, u8, Option<u8>),
    /// Of the answers under way.
    Send(usize),
    Abort(usize),
    Report(u64, u8, Vec<u8>),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (browser, page, path) = (0..8_u64, 0..3_u8, 0..10_u8);
    let step = prop_oneof![
        3 => (browser.clone(), 0..4_usize, page.clone(), any::<bool>(), any::<bool>()).prop_map(|(b, a, p, f, t)| Step::Open(b, a, p, f, t)),
        12 => (browser.clone(), path.clone(), proptest::option::of(path.clone())).prop_map(|(b, p, r)| Step::Ask(b, p, r)),
        10 => (0..16_usize).prop_map(Step::Send),
        1 => (0..16_usize).prop_map(Step::Abort),
        3 => (browser, page, proptest::collection::vec(path, 0..12)).prop_map(|(b, p, r)| Step::Report(b, p, r)),
        2 => prop_oneof![0..3_000_u64, Just(VISIT_AGE_MAX_MS)].prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

fn asset(number: u8) -> String {
    format!("/asset{number}")
}

fn page(number: u8) -> String {
    format!("/page{number}")
}

proptest! {
    #[test]
    fn bounds_hold_and_only_what_was_sent_comes_out(steps in steps()) {
        let mut visits = Visits::new(CONFIG);
        let mut now_ms = 0;
        let mut under_way: Vec<(u64, String, Asked)> = Vec::new();
        let mut sent: BTreeSet<(u64, String)> = BTreeSet::new();
        let mut browsers: BTreeSet<(u64, u64)> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Open(browser, address, number, is_first, is_thin) => {
                    let kind = if is_thin { AnswerKind::Thin } else { AnswerKind::Full };
                    let (address, page) = (ADDRESSES[address].parse().unwrap(), page(number));
                    let voter = visits.handle_document(now_ms, &Opening { browser, address, page: &page, kind, is_first });
                    browsers.insert((voter, browser));
                }
                Step::Ask(browser, path, referer) => {
                    let referer = referer.map(|number| if number < 3 { page(number) } else { asset(number) });
                    let asked = visits.handle_asked(now_ms, browser, &asset(path), referer.as_deref());
                    under_way.extend(asked.map(|asked| (browser, asset(path), asked)));
                }
                Step::Send(index) if !under_way.is_empty() => {
                    let (browser, path, asked) = under_way.swap_remove(index % under_way.len());
                    visits.handle_sent(now_ms, asked);
                    sent.insert((browser, path));
                }
                Step::Abort(index) if !under_way.is_empty() => drop(under_way.swap_remove(index % under_way.len())),
                Step::Send(_) | Step::Abort(_) => {}
                Step::Report(browser, number, paths) => {
                    let paths: Vec<String> = paths.into_iter().map(asset).collect();
                    if let Some(Reported { accepted, others, .. }) = visits.handle_report(now_ms, browser, &page(number), &paths) {
                        let distinct: BTreeSet<&String> = accepted.iter().collect();
                        prop_assert_eq!(distinct.len(), accepted.len());
                        prop_assert!(accepted.iter().all(|path| sent.contains(&(browser, path.clone()))));
                        prop_assert!(others.iter().all(|path| accepted.contains(path) && !paths.contains(path)));
                    }
                }
                Step::Wait(ms) => now_ms += ms,
            }
            visits.handle_timeout(now_ms);
            while let Some(output) = visits.poll() {
                match output {
                    VisitsOutput::Vote { voter, kind, paths, .. } => {
                        prop_assert_ne!(kind, AnswerKind::Thin);
                        let of = |path: &String| browsers.iter().any(|(v, browser)| *v == voter && sent.contains(&(*browser, path.clone())));
                        prop_assert!(!paths.is_empty() && paths.iter().all(of));
                    }
                    VisitsOutput::Used { browser, paths, .. } => {
                        prop_assert!(!paths.is_empty() && paths.iter().all(|path| sent.contains(&(browser, path.clone()))));
                    }
                }
            }
            prop_assert!(visits.book.is_consistent(&CONFIG));
            prop_assert!(visits.poll_timeout().is_none_or(|due_ms| due_ms > now_ms));
        }
        visits.handle_timeout(now_ms + 2 * VISIT_AGE_MAX_MS);
        while visits.poll().is_some() {}
        prop_assert!(visits.browsers() == 0 && visits.book.paths() == 0 && visits.poll_timeout().is_none());
    }
}
