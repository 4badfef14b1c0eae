//! Liars: one, many from one network, many from few.

use super::*;
use crate::limits::{PAGE_SET_ASSETS_MAX, PAGE_SET_LONE_BYTES_MIN, PAGE_SET_LONE_FACTOR};

/// A voter of one network, where everything is `len` bytes long.
fn report_from(set: &mut PageSet, from: u64, voter: u64, paths: &[&str], len: u64) -> bool {
    let report = Report { voter, address: network(from), kind: ReportKind::Full, paths: owned(paths) };
    set.handle_report(voter * 10 * SET_CHANGE_MS, report, &|_| Some(len))
}

#[test]
fn a_single_liar_among_three_adds_and_removes_nothing() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js", "/data.json"]);
    report(&mut set, 2, &["/app.js", "/data.json"]);
    assert!(!report(&mut set, 3, &["/huge.bin"]));
    assert_eq!(set.assets(), owned(&["/app.js", "/data.json"]));
}

#[test]
fn one_voter_has_one_vote() {
    let mut set = set(&[]);
    report(&mut set, 1, &["/a"]);
    report(&mut set, 2, &["/a"]);
    for _ in 0..20 {
        assert!(!report(&mut set, 3, &["/z"]));
    }
    assert_eq!(set.assets(), owned(&["/a"]));
}

#[test]
fn what_one_network_alone_names_leaves_when_others_have_spoken() {
    let mut set = set(&[]);
    assert!(report(&mut set, 1, &["/a", "/b"]));
    assert!(!report(&mut set, 2, &["/a"]), "1 of 2 stays");
    assert!(report(&mut set, 3, &["/a"]), "1 of 3 leaves");
    assert_eq!(set.assets(), owned(&["/a"]));
}

#[test]
fn however_many_reports_a_network_sends_it_has_one_vote() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js", "/data.json"]);
    report(&mut set, 2, &["/app.js", "/data.json"]);
    for voter in 100..200 {
        report_from(&mut set, 7, voter, &["/huge.bin"], 10);
        assert_eq!(set.assets(), owned(&["/app.js", "/data.json"]));
    }
    assert!(set.reports.iter().any(|vote| vote.voter == Some(1)), "nor does it push out the others");
}

#[test]
fn neighbours_are_one_network() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js"]);
    report(&mut set, 2, &["/app.js"]);
    for host in 0..=255_u8 {
        let report = Report {
            voter: 100 + u64::from(host),
            address: [198, 51, 100, host].into(),
            kind: ReportKind::Full,
            paths: owned(&["/huge.bin"]),
        };
        assert!(!set.handle_report(1 << 40, report, &ten_bytes));
    }
    for host in 0..=255_u16 {
        let address = IpAddr::from([0x2001, 0xdb8, 1, host, 0, 0, 0, 1]);
        let report = Report { voter: 1_000 + u64::from(host), address, kind: ReportKind::Full, paths: owned(&["/app.js"]) };
        assert!(!set.handle_report(1 << 40, report, &ten_bytes));
    }
    assert_eq!(set.assets(), owned(&["/app.js"]));
}

#[test]
fn the_visitors_of_one_network_decide_by_majority_among_themselves() {
    let mut set = set(&[]);
    report_from(&mut set, 7, 1, &["/a", "/b"], 10);
    report_from(&mut set, 7, 2, &["/a", "/b"], 10);
    assert!(!report_from(&mut set, 7, 3, &["/a"], 10), "one of three takes nothing away");
    assert_eq!(set.assets(), owned(&["/a", "/b"]));
}

#[test]
fn what_one_network_alone_names_is_bounded_in_bytes() {
    let mut small = set(&["/app.js"]);
    let len = PAGE_SET_LONE_BYTES_MIN / 4;
    let junk = ["/app.js", "/1", "/2", "/3", "/4", "/5", "/6"];
    report_from(&mut small, 7, 1, &junk, len);
    assert_eq!(small.assets(), owned(&["/app.js", "/1", "/2", "/3", "/4"]), "at the maximum");
    report_from(&mut small, 8, 2, &junk, len);
    assert_eq!(small.assets().len(), 7, "two networks say so");

    let named = references(&["/app.js", "/app.wasm"]);
    let config = PageSetConfig { bytes_max: u64::MAX, ..PageSetConfig::default() };
    let mut large = PageSet::new(config, "/", &named, &|_| Some(PAGE_SET_LONE_BYTES_MIN));
    report_from(&mut large, 7, 1, &["/app.js", "/app.wasm", "/1", "/2", "/3", "/4", "/5", "/6"], PAGE_SET_LONE_BYTES_MIN);
    assert_eq!(large.assets().len(), 2 + 2 * PAGE_SET_LONE_FACTOR as usize);
}

#[test]
fn thin_visits_bring_something_in_only_when_three_networks_name_it() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js"]);
    for voter in 2..=3 {
        assert!(!report_thin(&mut set, voter, &["/app.js", "/late.wasm"]), "{voter} say so, 2 at most of them by thin visits");
    }
    assert!(report_thin(&mut set, 4, &["/app.js", "/late.wasm"]));
    assert_eq!(rings(&set), (vec!["/app.js"], vec!["/late.wasm"]));
}

#[test]
fn thin_visits_of_one_network_bring_nothing_in() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js"]);
    for voter in 100..200 {
        let report = Report { voter, address: network(2), kind: ReportKind::Thin, paths: owned(&["/app.js", "/huge.bin"]) };
        assert!(!set.handle_report(1 << 40, report, &ten_bytes));
    }
}

#[test]
fn thin_visits_keep_and_evict() {
    let mut kept = set(&[]);
    report(&mut kept, 1, &["/a", "/b"]);
    for voter in 2..=9 {
        report_thin(&mut kept, voter, &["/a"]);
    }
    assert_eq!(kept.assets(), owned(&["/a"]), "1 of 9 leaves");
}

#[test]
fn what_the_server_saw_counts_as_what_it_sent() {
    let mut set = set(&["/app.js"]);
    assert!(set.handle_report(0, report_of(ReportKind::Seen, 1, &["/app.js", "/data.json"]), &ten_bytes));
    assert_eq!(rings(&set).1, ["/data.json"]);
}

#[test]
fn the_oldest_report_makes_room_at_the_limit() {
    let mut set = PageSet::new(PageSetConfig { reports_max: 2, ..PageSetConfig::default() }, "/", &[], &ten_bytes);
    for voter in 0..50 {
        report(&mut set, voter, &["/a"]);
        assert!(set.reports.len() <= 2);
    }
    assert_eq!(set.visits(), 50);
}

#[test]
fn a_report_of_too_many_paths_is_read_as_far_as_the_limit() {
    let mut set = set(&[]);
    let paths: Vec<String> = (0..=LOADED_REPORT_PATHS_MAX).map(|number| format!("/{number}")).collect();
    set.handle_report(0, Report { voter: 1, address: network(1), kind: ReportKind::Full, paths }, &ten_bytes);
    assert_eq!(set.assets().len(), PAGE_SET_ASSETS_MAX);
    assert_eq!(set.used_bytes_p50(), Some(10 * LOADED_REPORT_PATHS_MAX as u64));
}
