//! Each limit at its maximum and one above, and who has to go.

use super::*;

fn small() -> VisitsConfig {
    VisitsConfig { browsers_max: 3, browsers_per_network_max: 2, visits_per_browser_max: 2, paths_per_visit_max: 3, paths_max: 8 }
}

fn open_at(visits: &mut Visits, now_ms: u64, browser: u64, address: &str, page: &str) {
    let opening = Opening { browser, address: address.parse().unwrap(), page, kind: AnswerKind::Full, is_first: true };
    visits.handle_document(now_ms, &opening);
    assert!(visits.book.is_consistent(&visits.config));
}

fn is_known(visits: &Visits, browser: u64) -> bool {
    visits.find(browser, None).is_some()
}

#[test]
fn the_oldest_browser_of_a_network_gives_way_to_one_too_many() {
    let mut visits = Visits::new(small());
    for (browser, address) in [(1, "198.51.100.1"), (2, HERE), (3, HERE)] {
        open_at(&mut visits, 0, browser, address, "/");
    }
    assert_eq!(visits.browsers(), 3, "at the maximum");
    open_at(&mut visits, 0, 4, HERE, "/");
    assert!(is_known(&visits, 1) && !is_known(&visits, 2) && is_known(&visits, 3) && is_known(&visits, 4));
}

#[test]
fn of_too_many_browsers_the_oldest_of_the_network_with_most_is_forgotten() {
    let mut visits = Visits::new(small());
    for (browser, address) in [(1, "198.51.100.1"), (2, HERE), (3, HERE), (4, "192.0.2.1")] {
        open_at(&mut visits, 0, browser, address, "/");
    }
    assert!(is_known(&visits, 1) && !is_known(&visits, 2) && is_known(&visits, 3) && is_known(&visits, 4));
}

#[test]
fn a_browser_that_comes_back_is_not_the_oldest_and_may_move() {
    let mut visits = Visits::new(small());
    open_at(&mut visits, 0, 1, HERE, "/");
    open_at(&mut visits, 0, 2, HERE, "/");
    open_at(&mut visits, 0, 1, HERE, "/");
    open_at(&mut visits, 0, 3, HERE, "/");
    assert!(is_known(&visits, 1) && !is_known(&visits, 2));
    open_at(&mut visits, 0, 1, "192.0.2.1", "/");
    open_at(&mut visits, 0, 2, HERE, "/");
    assert!(is_known(&visits, 1) && is_known(&visits, 2) && is_known(&visits, 3));
}

#[test]
fn the_oldest_visit_of_a_browser_gives_way_to_one_too_many() {
    let mut visits = Visits::new(small());
    for page in ["/1", "/2"] {
        open_at(&mut visits, 0, ANNA, HERE, page);
    }
    assert!(visits.handle_report(0, ANNA, "/1", &[]).is_some(), "at the maximum");
    open_at(&mut visits, 0, ANNA, HERE, "/3");
    assert!(visits.handle_report(0, ANNA, "/1", &[]).is_none());
    assert!(visits.handle_report(0, ANNA, "/2", &[]).is_some());
}

#[test]
fn a_visit_is_sent_so_many_paths_and_what_earlier_ones_were_sent_gives_way() {
    let mut visits = Visits::new(small());
    open_at(&mut visits, 0, ANNA, HERE, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/1", "/2", "/3"]);
    assert_eq!(visits.handle_asked(0, ANNA, "/4", None), None, "one above");
    assert_eq!(accepted(&mut visits, ANNA, "/", &[]).len(), 3);
    open_at(&mut visits, 0, ANNA, HERE, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/4", "/5", "/6"]);
    assert!(visits.book.is_consistent(&visits.config));
    assert_eq!(accepted(&mut visits, ANNA, "/", &["/1"]), paths(&["/4", "/5", "/6"]));
}

#[test]
fn the_network_with_most_paths_makes_room_for_all() {
    let mut visits = Visits::new(small());
    open_at(&mut visits, 0, 1, "198.51.100.1", "/");
    open_at(&mut visits, 0, 2, HERE, "/");
    open_at(&mut visits, 0, 3, HERE, "/");
    fetch(&mut visits, 0, 1, "/", &["/1", "/2"]);
    fetch(&mut visits, 0, 2, "/", &["/1", "/2", "/3"]);
    fetch(&mut visits, 0, 3, "/", &["/1", "/2", "/3"]);
    assert_eq!((visits.book.paths(), visits.browsers()), (8, 3), "at the maximum");
    fetch(&mut visits, 0, 1, "/", &["/3"]);
    assert!(is_known(&visits, 1) && !is_known(&visits, 2) && is_known(&visits, 3));
    assert_eq!(visits.book.paths(), 6);
    visits.handle_report(0, 1, "/", &paths(&["/1", "/2"]));
    visits.handle_report(0, 3, "/", &paths(&["/1"]));
    assert!(visits.book.is_consistent(&visits.config));
}

#[test]
fn a_visit_ends_when_nothing_was_heard_of_it_for_long() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    let late = visits.handle_asked(1_000, ANNA, "/late.bin", None).unwrap();
    assert_eq!(outputs(&mut visits, 999 + VISIT_AGE_MAX_MS), []);
    assert!(is_known(&visits, ANNA));
    assert_eq!(outputs(&mut visits, 1_000 + VISIT_AGE_MAX_MS), []);
    assert!(!is_known(&visits, ANNA));
    visits.handle_sent(2_000 + VISIT_AGE_MAX_MS, late);
    assert_eq!((visits.poll_timeout(), visits.book.paths()), (None, 0), "nothing is left");
}
