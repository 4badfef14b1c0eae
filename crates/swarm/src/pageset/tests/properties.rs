//! What holds whatever is reported.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Report(u64, Report),
    Site(Vec<Reference>),
    Wait(u64),
    Restart,
}

fn path() -> impl Strategy<Value = String> {
    (0..12_u8).prop_map(|number| if number == 0 { "/".to_owned() } else { format!("/{number}") })
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(ReportKind::Full), Just(ReportKind::Thin), Just(ReportKind::Seen)];
    let report = (0..8_u64, 0..5_u64, kind, prop::collection::vec(path(), 0..12)).prop_map(|(voter, from, kind, paths)| Report {
        voter,
        address: network(from),
        kind,
        paths,
    });
    let reference = (path(), any::<bool>()).prop_map(|(path, critical)| Reference { path, critical });
    prop_oneof![
        6 => (0..90_000_u64, report).prop_map(|(ms, report)| Step::Report(ms, report)),
        1 => prop::collection::vec(reference, 0..6).prop_map(Step::Site),
        1 => (0..200_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// Every asset has another length; one is not served.
fn served(path: &str) -> Option<u64> {
    let number: u64 = path.strip_prefix('/')?.parse().ok()?;
    (number != 11).then_some(number * 100)
}

proptest! {
    #[test]
    fn a_set_stays_within_its_bounds_and_its_budget(steps in prop::collection::vec(step(), 0..60)) {
        let config = PageSetConfig { assets_max: 6, bytes_max: 2_500, reports_max: 5 };
        let mut set = PageSet::new(config, "/", &references(&["/1", "~/2"]), &served);
        let mut site = references(&["/1", "~/2"]);
        let (mut now_ms, mut began_ms, mut changes) = (0, 0, 0);
        for step in steps {
            match step {
                Step::Report(ms, report) => {
                    now_ms += ms;
                    changes += u64::from(set.handle_report(now_ms, report, &served));
                }
                Step::Wait(ms) => {
                    now_ms += ms;
                    changes += u64::from(set.handle_timeout(now_ms, &served));
                }
                Step::Site(references) => {
                    set.handle_site(&references, &served);
                    site = references;
                }
                Step::Restart => {
                    set = PageSet::restore(config, "/", set.state(), &site, &served);
                    (began_ms, changes) = (now_ms, 0);
                }
            }
            let assets = set.assets();
            prop_assert!(assets.len() <= 6 && set.bytes() <= 2_500 && set.critical() <= assets.len() && set.reports.len() <= 5);
            prop_assert_eq!(set.bytes(), assets.iter().filter_map(|path| served(path)).sum::<u64>());
            prop_assert_eq!(assets.iter().collect::<BTreeSet<_>>().len(), assets.len(), "each once");
            prop_assert!(assets.iter().all(|path| served(path).is_some() && path != "/"));
            prop_assert!(assets[..set.critical()].iter().all(|path| site.iter().any(|known| known.critical && known.path == *path)));
            prop_assert!(changes <= SET_CHANGES_BURST + (now_ms - began_ms) / SET_CHANGE_MS);
        }
    }

    #[test]
    fn one_network_never_moves_what_four_others_agree_on(lies in prop::collection::vec(prop::collection::vec(path(), 0..12), 0..40)) {
        let mut set = set(&["/1"]);
        for voter in 1..=4 {
            report(&mut set, voter, &["/1", "/2"]);
        }
        for (voter, paths) in (100..).zip(lies) {
            let liar = Report { voter, address: network(9), kind: ReportKind::Full, paths };
            prop_assert!(!set.handle_report(voter * 10 * SET_CHANGE_MS, liar, &ten_bytes));
        }
        prop_assert_eq!(rings(&set), (vec!["/1"], vec!["/2"]));
    }
}
