//! What is believed of reports, and how far; when a set changes and how often.

use super::*;
use crate::limits::{SET_CHANGE_MS, SET_CHANGES_BURST};

mod poison;
mod properties;

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// References in document order; those that begin with `~` are not critical.
fn references(paths: &[&str]) -> Vec<Reference> {
    let reference = |path: &&str| Reference { path: path.trim_start_matches('~').to_owned(), critical: !path.starts_with('~') };
    paths.iter().map(reference).collect()
}

/// Everything is served and is 10 bytes long, but for what begins with `/no`.
fn ten_bytes(path: &str) -> Option<u64> {
    (!path.starts_with("/no")).then_some(10)
}

fn set(paths: &[&str]) -> PageSet {
    PageSet::new(PageSetConfig::default(), "/", &references(paths), &ten_bytes)
}

/// A network of its own for each number.
fn network(number: u64) -> IpAddr {
    let [.., a, b] = number.to_be_bytes();
    [100, a, b, 7].into()
}

fn report_of(kind: ReportKind, voter: u64, paths: &[&str]) -> Report {
    Report { voter, address: network(voter), kind, paths: owned(paths) }
}

/// A full visit from a network of its own, long after the one before.
fn report(set: &mut PageSet, voter: u64, paths: &[&str]) -> bool {
    set.handle_report(voter * 10 * SET_CHANGE_MS, report_of(ReportKind::Full, voter, paths), &ten_bytes)
}

fn report_thin(set: &mut PageSet, voter: u64, paths: &[&str]) -> bool {
    set.handle_report(voter * 10 * SET_CHANGE_MS, report_of(ReportKind::Thin, voter, paths), &ten_bytes)
}

/// The two rings.
fn rings(set: &PageSet) -> (Vec<&str>, Vec<&str>) {
    let (critical, expected) = set.assets().split_at(set.critical());
    (critical.iter().map(String::as_str).collect(), expected.iter().map(String::as_str).collect())
}

#[test]
fn before_anybody_came_the_parse_is_believed() {
    let set = set(&["/app.js", "~/logo.png", "/style.css"]);
    assert_eq!(rings(&set), (vec!["/app.js", "/style.css"], vec!["/logo.png"]));
}

#[test]
fn the_first_visitor_teaches_what_a_parse_cannot_see() {
    let mut set = set(&["/app.js", "/style.css"]);
    assert!(report(&mut set, 1, &["/app.js", "/data.json", "/style.css", "/font.woff2"]));
    assert_eq!(rings(&set), (vec!["/app.js", "/style.css"], vec!["/data.json", "/font.woff2"]));
    assert!(!report(&mut set, 2, &["/app.js", "/data.json", "/style.css", "/font.woff2"]), "nothing new");
}

#[test]
fn what_the_page_refers_to_and_nobody_uses_falls_out_with_the_first_vote() {
    let mut set = set(&["/app.js", "/unused-preload.js", "~/font-cyrillic.woff2", "~/film.mp4"]);
    assert!(report(&mut set, 1, &["/app.js"]));
    assert_eq!(rings(&set), (vec!["/app.js"], vec![]));
}

#[test]
fn a_thin_visit_alone_does_not_judge_the_parse() {
    let mut set = set(&["/app.js", "/style.css"]);
    assert!(!report_thin(&mut set, 1, &["/app.js"]));
    assert_eq!(rings(&set).0, ["/app.js", "/style.css"]);
    assert!(report(&mut set, 2, &["/app.js"]), "a full one does");
    assert_eq!(rings(&set).0, ["/app.js"]);
}

#[test]
fn what_half_of_the_visits_use_is_expected() {
    let mut set = set(&[]);
    report(&mut set, 1, &["/a"]);
    assert!(report(&mut set, 2, &["/a", "/b"]), "1 of 2");
    report(&mut set, 3, &["/a", "/b", "/c"]);
    assert_eq!(rings(&set).1, ["/a", "/b"], "1 of 3 is not half");
    assert!(report(&mut set, 4, &["/a", "/c"]), "2 of 4");
    assert_eq!(rings(&set).1, ["/a", "/b", "/c"]);
}

#[test]
fn only_what_is_served_is_believed() {
    let mut set = set(&["/no-such.js", "/app.js"]);
    assert_eq!(set.assets(), owned(&["/app.js"]));
    assert!(!report(&mut set, 1, &["/no-such.png", "/app.js", "/no/private"]));
}

#[test]
fn the_document_is_never_part_of_its_own_set() {
    let mut set = set(&["/", "/app.js"]);
    report(&mut set, 1, &["/", "/app.js"]);
    assert_eq!(set.assets(), owned(&["/app.js"]));
}

#[test]
fn a_path_between_the_thresholds_neither_enters_nor_leaves() {
    let mut set = set(&[]);
    report(&mut set, 1, &["/a", "/b"]);
    report(&mut set, 2, &["/a", "/b"]);
    for voter in 3..=8 {
        assert!(!report(&mut set, voter, &["/a"]), "2 of {voter} stay");
    }
    assert!(report(&mut set, 9, &["/a"]), "2 of 9 leave");
    assert_eq!(set.assets(), owned(&["/a"]));
    assert!(!report(&mut set, 10, &["/a", "/b"]), "3 of 10 do not enter");
}

#[test]
fn a_later_report_of_the_same_visit_replaces_the_earlier_one() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js"]);
    assert!(report(&mut set, 1, &["/app.js", "/worker.js"]));
    assert_eq!((rings(&set).1, set.visits(), set.used_bytes_p50()), (vec!["/worker.js"], 1, Some(20)));
}

#[test]
fn alternating_reports_do_not_make_the_manifest_flap() {
    let mut set = set(&[]);
    for voter in 0..3 {
        report(&mut set, voter, &["/a", "/b", "/c"]);
    }
    let mut changes = 0;
    for voter in 3..200 {
        let paths: &[&str] = if voter % 2 == 0 { &["/c", "/b", "/a"] } else { &["/a", "/c"] };
        changes += usize::from(report(&mut set, voter, paths));
    }
    assert_eq!(changes, 0);
    assert_eq!(set.assets(), owned(&["/a", "/b", "/c"]));
}

#[test]
fn expected_assets_stand_by_their_median_place_and_critical_ones_in_document_order() {
    let mut set = PageSet::new(PageSetConfig { reports_max: 3, ..PageSetConfig::default() }, "/", &references(&["/s", "/t"]), &ten_bytes);
    report(&mut set, 1, &["/x", "/y", "/t", "/z", "/s"]);
    report(&mut set, 2, &["/z", "/x", "/y", "/t", "/s"]);
    report(&mut set, 3, &["/z", "/y", "/x", "/w", "/t", "/s"]);
    assert!(report(&mut set, 4, &["/z", "/y", "/x", "/w", "/t", "/s"]), "the set changed, so the order may");
    assert_eq!(rings(&set), (vec!["/s", "/t"], vec!["/z", "/y", "/x", "/w"]));
}

#[test]
fn count_and_bytes_are_bounded_at_their_maxima() {
    let config = PageSetConfig { assets_max: 3, bytes_max: 30, reports_max: 2 };
    let set = PageSet::new(config, "/", &references(&["/1", "/2", "/3", "/4"]), &ten_bytes);
    assert_eq!(set.assets(), owned(&["/1", "/2", "/3"]), "at the maximum of assets");
    let by_bytes = PageSetConfig { assets_max: 9, bytes_max: 29, reports_max: 2 };
    let set = PageSet::new(by_bytes, "/", &references(&["/1", "/2", "/3"]), &ten_bytes);
    assert_eq!(set.assets(), owned(&["/1", "/2"]), "one byte over");
}

#[test]
fn an_asset_too_big_makes_room_for_smaller_ones() {
    let config = PageSetConfig { bytes_max: 30, ..PageSetConfig::default() };
    let served = |path: &str| Some(if path == "/video" { u64::MAX } else { 10 });
    let set = PageSet::new(config, "/", &references(&["/1", "/video", "/2"]), &served);
    assert_eq!(set.assets(), owned(&["/1", "/2"]));
}

#[test]
fn a_deploy_drops_what_is_gone_and_believes_its_own_references_until_a_visit_told() {
    let mut set = set(&["/app.1.js", "/b.js"]);
    for voter in 1..=16 {
        report(&mut set, voter, &["/app.1.js", "/b.js", "/data.1.json", "/kept.png"]);
    }
    let served = |path: &str| (!path.contains(".1.")).then_some(10);
    assert!(set.handle_site(&references(&["/b.js", "/app.2.js"]), &served));
    assert_eq!(rings(&set), (vec!["/b.js", "/app.2.js"], vec!["/kept.png"]));
    assert!(!set.handle_site(&references(&["/b.js", "/app.2.js"]), &served), "the same again");
    assert!(set.handle_site(&references(&["/app.2.js", "/b.js"]), &served), "only the order");
    assert_eq!(set.size(), Size::Known { bytes: 40 }, "how much a visit used before is the best guess");
}

#[test]
fn what_only_the_new_version_has_is_judged_by_those_who_saw_it() {
    let mut set = set(&["/app.1.js"]);
    for voter in 1..=16 {
        report(&mut set, voter, &["/app.1.js", "/kept.png"]);
    }
    let served = |path: &str| (!path.contains(".1.")).then_some(10);
    set.handle_site(&references(&["/app.2.js", "/unused.2.js"]), &served);
    let told = set.handle_report(1 << 40, report_of(ReportKind::Full, 99, &["/app.2.js", "/data.2.json"]), &served);
    assert!(told);
    assert_eq!(rings(&set), (vec!["/app.2.js"], vec!["/kept.png", "/data.2.json"]), "one of sixteen does not vote what they know out");
}

#[test]
fn whoever_still_looks_at_the_version_before_votes_nothing_of_the_new_one_out() {
    let mut set = set(&["/app.1.js", "/kept.js"]);
    for voter in 1..=16 {
        report(&mut set, voter, &["/app.1.js", "/kept.js"]);
    }
    let served = |path: &str| (!path.contains(".1.")).then_some(10);
    set.handle_site(&references(&["/app.2.js", "/kept.js"]), &served);
    for voter in 1..=16 {
        let old = report_of(ReportKind::Full, voter, &["/app.1.js", "/kept.js"]);
        assert!(!set.handle_report((100 + voter) * SET_CHANGE_MS, old, &served));
    }
    let new = report_of(ReportKind::Full, 99, &["/app.2.js", "/kept.js", "/data.2.json"]);
    assert!(set.handle_report(1 << 40, new, &served));
    assert_eq!(rings(&set), (vec!["/app.2.js", "/kept.js"], vec!["/data.2.json"]));
    let old = report_of(ReportKind::Full, 7, &["/app.1.js", "/kept.js"]);
    assert!(!set.handle_report(1 << 41, old, &served), "nor later");
}

#[test]
fn a_visit_that_used_nothing_of_what_the_page_needs_judges_nothing() {
    let mut set = set(&["/app.js", "/style.css"]);
    assert!(!report(&mut set, 1, &[]));
    assert_eq!(rings(&set).0, ["/app.js", "/style.css"]);
    let mut bare = PageSet::new(PageSetConfig::default(), "/", &references(&["~/best.avif"]), &ten_bytes);
    assert!(report(&mut bare, 1, &["/last.jpg"]), "where nothing is critical any visit judges");
    assert_eq!(rings(&bare).1, ["/last.jpg"]);
}

#[test]
fn the_size_is_unknown_until_enough_visits_have_told() {
    let mut set = set(&["/app.js"]);
    assert_eq!(set.size(), Size::Unknown { at_least: 10 });
    report(&mut set, 1, &["/app.js", "/1", "/2"]);
    report(&mut set, 2, &["/app.js", "/1", "/2"]);
    assert_eq!(set.size(), Size::Unknown { at_least: 30 });
    report(&mut set, 2, &["/app.js", "/1", "/2"]);
    assert_eq!(set.size(), Size::Unknown { at_least: 30 }, "the same visit again");
    report(&mut set, 3, &["/app.js"]);
    assert_eq!(set.size(), Size::Known { bytes: 30 });
}

#[test]
fn the_size_is_what_the_visits_of_the_median_network_use_even_if_no_two_use_the_same() {
    let mut set = set(&["/app.js"]);
    for (voter, pack) in (1..=5).zip(["/de", "/fr", "/it", "/pl", "/fi"]) {
        report(&mut set, voter, &["/app.js", pack]);
    }
    assert_eq!((set.size(), set.bytes()), (Size::Known { bytes: 20 }, 10));
    for voter in 100..110 {
        let liar = Report { voter, address: network(9), kind: ReportKind::Full, paths: Vec::new() };
        set.handle_report(1 << 40, liar, &ten_bytes);
    }
    assert_eq!(set.size(), Size::Known { bytes: 20 }, "one network of many visits is one");
}

#[test]
fn the_visits_of_one_network_are_enough_to_learn_from() {
    let mut set = set(&["/app.js"]);
    for voter in 1..=3 {
        let visit = Report { voter, address: network(1), kind: ReportKind::Full, paths: owned(&["/app.js"]) };
        set.handle_report(0, visit, &ten_bytes);
    }
    assert_eq!((set.visits(), set.size()), (3, Size::Known { bytes: 10 }));
}

#[test]
fn reports_change_a_set_six_times_at_once_and_then_once_a_minute() {
    let mut set = set(&[]);
    let mut teach = |now_ms: u64, count: usize| {
        let paths: Vec<String> = (0..count).map(|number| format!("/{number}")).collect();
        set.handle_report(now_ms, Report { voter: 1, address: network(1), kind: ReportKind::Full, paths }, &ten_bytes)
    };
    let burst = usize::try_from(SET_CHANGES_BURST).unwrap();
    assert!((1..=burst).all(|count| teach(1_000, count)));
    assert!(!teach(1_000, burst + 1) && !teach(2_000, burst + 2));
    assert_eq!(set.assets().len(), burst, "the last good set stays");
    let due_ms = set.poll_timeout().unwrap();
    assert_eq!(due_ms, 1_000 + SET_CHANGE_MS);
    assert!(!set.handle_timeout(due_ms - 1, &ten_bytes) && set.handle_timeout(due_ms, &ten_bytes));
    assert_eq!((set.assets().len(), set.poll_timeout()), (burst + 2, None), "the newest report is what it became");
    assert!(!set.handle_timeout(due_ms + 1, &ten_bytes), "nothing waits any more");
}

#[test]
fn a_deploy_is_not_limited() {
    let mut set = set(&["/0.js"]);
    for number in 1..100 {
        assert!(set.handle_site(&references(&[&format!("/{number}.js")]), &ten_bytes));
    }
}

#[test]
fn a_set_survives_a_restart() {
    let mut before = set(&["/app.js", "/unused.js", "~/logo.png"]);
    for voter in 1..=4 {
        report(&mut before, voter, &["/app.js", "/logo.png", "/data.json"]);
    }
    let text = serde_json::to_string(&before.state()).unwrap();
    let state: PageState = serde_json::from_str(&text).unwrap();
    let mut after =
        PageSet::restore(PageSetConfig::default(), "/", state, &references(&["/app.js", "/unused.js", "~/logo.png"]), &ten_bytes);
    assert_eq!((after.assets(), after.critical(), after.size(), after.visits()), (before.assets(), 1, before.size(), 4));
    assert!(!report(&mut after, 1, &["/app.js"]), "what was voted before holds against one");
}

#[test]
fn a_new_version_inherits_over_a_restart() {
    let mut before = set(&["/app.1.js"]);
    report(&mut before, 1, &["/app.1.js", "/data.1.json", "/kept.png"]);
    let served = |path: &str| (!path.contains(".1.")).then_some(10);
    let after = PageSet::restore(PageSetConfig::default(), "/", before.state(), &references(&["/app.2.js"]), &served);
    assert_eq!(rings(&after), (vec!["/app.2.js"], vec!["/kept.png"]));
}
