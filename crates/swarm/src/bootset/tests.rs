//! What is believed of reports, and how far.

use super::*;

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// Everything is served and is 10 bytes long, but for what begins with `/no`.
fn ten_bytes(path: &str) -> Option<u64> {
    (!path.starts_with("/no")).then_some(10)
}

fn set(references: &[&str]) -> BootSet {
    BootSet::new(BootConfig::default(), "/", &owned(references), &ten_bytes)
}

/// Each voter is at a site of its own.
fn report(set: &mut BootSet, voter: u64, paths: &[&str]) -> bool {
    let [.., a, b] = voter.to_be_bytes();
    set.handle_report(voter, [203, 0, a, b].into(), &owned(paths), &ten_bytes)
}

/// A voter at one site, where everything is `len` bytes long.
fn report_from(set: &mut BootSet, site: u8, voter: u64, paths: &[&str], len: u64) -> bool {
    set.handle_report(voter, [198, 51, 100, site].into(), &owned(paths), &|_| Some(len))
}

#[test]
fn the_first_visitor_teaches_what_a_parse_cannot_see() {
    let mut set = set(&["/app.js", "/style.css"]);
    assert!(report(&mut set, 1, &["/app.js", "/data.json", "/style.css", "/font.woff2"]));
    assert_eq!(set.assets(), owned(&["/app.js", "/style.css", "/data.json", "/font.woff2"]));
    assert!(!report(&mut set, 2, &["/app.js", "/data.json", "/style.css", "/font.woff2"]), "nothing new");
}

#[test]
fn only_what_is_served_is_believed() {
    let mut set = set(&["/no-such.js", "/app.js"]);
    assert_eq!(set.assets(), owned(&["/app.js"]));
    assert!(!report(&mut set, 1, &["/no-such.png", "/no/private"]));
}

#[test]
fn the_document_is_never_part_of_its_own_set() {
    let mut set = set(&["/", "/app.js"]);
    report(&mut set, 1, &["/", "/app.js"]);
    assert_eq!(set.assets(), owned(&["/app.js"]));
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
fn what_one_site_alone_names_leaves_when_others_have_spoken() {
    let mut set = set(&[]);
    assert!(report(&mut set, 1, &["/a", "/b"]));
    assert!(!report(&mut set, 2, &["/a"]), "1 of 2 stays");
    assert!(report(&mut set, 3, &["/a"]), "1 of 3 leaves");
    assert_eq!(set.assets(), owned(&["/a"]));
}

#[test]
fn however_many_reports_a_site_sends_it_has_one_vote() {
    let mut set = set(&["/app.js"]);
    report(&mut set, 1, &["/app.js", "/data.json"]);
    report(&mut set, 2, &["/app.js", "/data.json"]);
    for voter in 100..200 {
        report_from(&mut set, 7, voter, &["/huge.bin"], 10);
        assert_eq!(set.assets(), owned(&["/app.js", "/data.json"]));
    }
    assert!(set.reports.iter().any(|report| report.voter == 1), "nor does it push out the others");
}

#[test]
fn the_visitors_of_one_site_decide_by_majority_among_themselves() {
    let mut set = set(&[]);
    report_from(&mut set, 7, 1, &["/a", "/b"], 10);
    report_from(&mut set, 7, 2, &["/a", "/b"], 10);
    assert!(!report_from(&mut set, 7, 3, &["/a"], 10), "one of three takes nothing away");
    assert_eq!(set.assets(), owned(&["/a", "/b"]));
}

#[test]
fn what_one_site_alone_names_is_bounded_in_bytes() {
    let mut small = set(&["/app.js"]);
    let len = BOOT_LONE_BYTES_MIN / 4;
    let junk = ["/1", "/2", "/3", "/4", "/5", "/6"];
    report_from(&mut small, 7, 1, &junk, len);
    assert_eq!(small.assets(), owned(&["/app.js", "/1", "/2", "/3", "/4"]), "at the maximum");
    report_from(&mut small, 8, 2, &junk, len);
    assert_eq!(small.assets().len(), 7, "two sites say so");

    let references = owned(&["/app.js", "/app.wasm"]);
    let mut large =
        BootSet::new(BootConfig { bytes_max: u64::MAX, ..BootConfig::default() }, "/", &references, &|_| Some(BOOT_LONE_BYTES_MIN));
    report_from(&mut large, 7, 1, &junk, BOOT_LONE_BYTES_MIN);
    assert_eq!(large.assets().len(), 2 + 2 * BOOT_LONE_FACTOR as usize);
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
fn learned_assets_stand_by_their_median_place() {
    let mut set = set(&[]);
    let config = BootConfig { reports_max: 3, ..BootConfig::default() };
    set.config = config;
    report(&mut set, 1, &["/x", "/y", "/z"]);
    report(&mut set, 2, &["/z", "/x", "/y"]);
    report(&mut set, 3, &["/z", "/y", "/x", "/w"]);
    assert!(report(&mut set, 4, &["/z", "/y", "/x", "/w"]), "the set changed, so the order may");
    assert_eq!(set.assets(), owned(&["/z", "/y", "/x", "/w"]));
}

#[test]
fn count_and_bytes_are_bounded_at_their_maxima() {
    let config = BootConfig { assets_max: 3, bytes_max: 30, reports_max: 2 };
    let set = BootSet::new(config, "/", &owned(&["/1", "/2", "/3", "/4"]), &ten_bytes);
    assert_eq!(set.assets(), owned(&["/1", "/2", "/3"]), "at the maximum of assets");
    let by_bytes = BootConfig { assets_max: 9, bytes_max: 29, reports_max: 2 };
    let set = BootSet::new(by_bytes, "/", &owned(&["/1", "/2", "/3"]), &ten_bytes);
    assert_eq!(set.assets(), owned(&["/1", "/2"]), "one byte over");
}

#[test]
fn an_asset_too_big_makes_room_for_smaller_ones() {
    let config = BootConfig { bytes_max: 30, ..BootConfig::default() };
    let served = |path: &str| Some(if path == "/video" { u64::MAX } else { 10 });
    let set = BootSet::new(config, "/", &owned(&["/1", "/video", "/2"]), &served);
    assert_eq!(set.assets(), owned(&["/1", "/2"]));
}

#[test]
fn the_oldest_report_makes_room_at_the_limit() {
    let mut set = BootSet::new(BootConfig { reports_max: 2, ..BootConfig::default() }, "/", &[], &ten_bytes);
    for voter in 0..50 {
        report(&mut set, voter, &["/a"]);
        assert!(set.reports.len() <= 2);
    }
}

#[test]
fn a_deploy_drops_what_is_gone_and_takes_the_new_order() {
    let mut set = set(&["/app.1.js", "/b.js"]);
    report(&mut set, 1, &["/app.1.js", "/data.1.json", "/kept.png"]);
    let served = |path: &str| (!path.contains(".1.")).then_some(10);
    assert!(set.handle_site(&owned(&["/b.js", "/app.2.js"]), &served));
    assert_eq!(set.assets(), owned(&["/b.js", "/app.2.js", "/kept.png"]));
    assert!(!set.handle_site(&owned(&["/b.js", "/app.2.js"]), &served), "the same again");
    assert!(set.handle_site(&owned(&["/app.2.js", "/b.js"]), &served), "only the order");
}
