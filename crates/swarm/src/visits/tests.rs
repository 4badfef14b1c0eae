//! What is believed of visits, in virtual time.

use super::*;

mod bounds;
mod random;

const HERE: &str = "203.0.113.7";
const ANNA: u64 = 1;
const BEN: u64 = 2;

fn visits() -> Visits {
    Visits::new(VisitsConfig::default())
}

fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn open_as(visits: &mut Visits, now_ms: u64, browser: u64, page: &str, kind: AnswerKind, is_first: bool) -> u64 {
    visits.handle_document(now_ms, &Opening { browser, address: HERE.parse().unwrap(), page, kind, is_first })
}

fn open(visits: &mut Visits, now_ms: u64, browser: u64, page: &str) -> u64 {
    open_as(visits, now_ms, browser, page, AnswerKind::Full, true)
}

/// Asks for these one after the other and is sent each of them whole.
fn fetch(visits: &mut Visits, now_ms: u64, browser: u64, referer: &str, names: &[&str]) {
    for name in names {
        if let Some(asked) = visits.handle_asked(now_ms, browser, name, Some(referer)) {
            visits.handle_sent(now_ms, asked);
        }
    }
}

fn outputs(visits: &mut Visits, now_ms: u64) -> Vec<VisitsOutput> {
    visits.handle_timeout(now_ms);
    std::iter::from_fn(|| visits.poll()).collect()
}

/// The paths of each vote.
fn votes(visits: &mut Visits, now_ms: u64) -> Vec<Vec<String>> {
    let vote = |output| if let VisitsOutput::Vote { paths, .. } = output { Some(paths) } else { None };
    outputs(visits, now_ms).into_iter().filter_map(vote).collect()
}

fn accepted(visits: &mut Visits, browser: u64, page: &str, names: &[&str]) -> Vec<String> {
    visits.handle_report(0, browser, page, &paths(names)).map(|reported| reported.accepted).unwrap_or_default()
}

#[test]
fn a_first_visit_that_became_quiet_votes_for_what_it_was_sent_in_order_of_request() {
    let mut visits = visits();
    let voter = open(&mut visits, 0, ANNA, "/");
    let slow = visits.handle_asked(100, ANNA, "/app.wasm", Some("/")).unwrap();
    fetch(&mut visits, 200, ANNA, "/", &["/style.css", "/app.js"]);
    visits.handle_sent(300, slow);
    assert_eq!(visits.poll_timeout(), Some(300 + VISIT_QUIET_MS));
    assert_eq!(outputs(&mut visits, 299 + VISIT_QUIET_MS), []);
    let vote = VisitsOutput::Vote {
        page: "/".to_owned(),
        voter,
        address: HERE.parse().unwrap(),
        kind: AnswerKind::Full,
        paths: paths(&["/app.wasm", "/style.css", "/app.js"]),
    };
    assert_eq!(outputs(&mut visits, 300 + VISIT_QUIET_MS), [vote]);
    assert_eq!(outputs(&mut visits, 100_000), [], "nothing new");
}

#[test]
fn what_comes_later_makes_the_same_visit_vote_again() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/app.js"]);
    assert_eq!(votes(&mut visits, VISIT_QUIET_MS), [paths(&["/app.js"])]);
    fetch(&mut visits, 60_000, ANNA, "/", &["/app.js", "/level2.bin"]);
    assert_eq!(votes(&mut visits, 60_000 + VISIT_QUIET_MS), [paths(&["/app.js", "/level2.bin"])]);
}

#[test]
fn what_was_asked_for_and_never_sent_whole_counts_for_nothing() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    let _aborted = visits.handle_asked(0, ANNA, "/film.mp4", Some("/")).unwrap();
    assert_eq!(votes(&mut visits, 10_000), Vec::<Vec<String>>::new());
    assert_eq!(accepted(&mut visits, ANNA, "/", &["/film.mp4"]), paths(&[]));
}

#[test]
fn a_visit_with_a_warm_cache_votes_only_by_its_report() {
    let mut visits = visits();
    open_as(&mut visits, 0, ANNA, "/", AnswerKind::Full, false);
    fetch(&mut visits, 0, ANNA, "/", &["/changed.js"]);
    assert_eq!(votes(&mut visits, 10_000), Vec::<Vec<String>>::new());
    assert_eq!(accepted(&mut visits, ANNA, "/", &["/changed.js"]), paths(&["/changed.js"]));
    fetch(&mut visits, 20_000, ANNA, "/", &["/late.js"]);
    assert_eq!(votes(&mut visits, 30_000), [paths(&["/changed.js", "/late.js"])]);
}

#[test]
fn the_server_sees_nothing_of_what_peers_send_to_a_thin_visit_so_it_does_not_vote() {
    let mut visits = visits();
    open_as(&mut visits, 0, ANNA, "/", AnswerKind::Thin, true);
    fetch(&mut visits, 0, ANNA, "/", &["/late.js"]);
    assert_eq!(outputs(&mut visits, 10_000), []);
    assert_eq!(visits.find(ANNA, Some("/")), Some(Found { page: "/", kind: AnswerKind::Thin }));
}

#[test]
fn a_plain_visit_votes_by_what_it_asks_for() {
    let mut visits = visits();
    open_as(&mut visits, 0, ANNA, "/", AnswerKind::Plain, true);
    fetch(&mut visits, 0, ANNA, "/", &["/app.js"]);
    let [VisitsOutput::Vote { kind: AnswerKind::Plain, paths, .. }] = &outputs(&mut visits, VISIT_QUIET_MS)[..] else { panic!("one vote") };
    assert_eq!(paths, &["/app.js"]);
}

#[test]
fn of_a_report_only_what_the_server_sent_to_that_browser_is_believed() {
    let mut visits = visits();
    let voter = open(&mut visits, 0, ANNA, "/");
    open(&mut visits, 0, BEN, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/app.js"]);
    fetch(&mut visits, 0, BEN, "/", &["/huge.bin"]);
    let reported = visits.handle_report(0, ANNA, "/", &paths(&["/huge.bin", "/app.js", "/never.bin"])).unwrap();
    assert_eq!(reported, Reported { voter, kind: AnswerKind::Full, accepted: paths(&["/app.js"]), others: paths(&[]) });
}

#[test]
fn a_report_without_a_visit_counts_for_nothing() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    assert_eq!(visits.handle_report(0, BEN, "/", &paths(&["/app.js"])), None);
    assert_eq!(visits.handle_report(0, ANNA, "/other", &paths(&["/app.js"])), None);
}

#[test]
fn what_workers_fetched_is_put_in_where_it_was_asked_for_and_told_to_the_page() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/a.js", "/worker.js", "/b.js", "/data.bin"]);
    let reported = visits.handle_report(0, ANNA, "/", &paths(&["/a.js", "/b.js"])).unwrap();
    assert_eq!(reported.accepted, paths(&["/a.js", "/worker.js", "/b.js", "/data.bin"]));
    assert_eq!(reported.others, paths(&["/worker.js", "/data.bin"]));
}

#[test]
fn what_is_sent_after_a_report_is_told_to_the_page_once_it_is_quiet() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/a.js", "/worker.js"]);
    visits.handle_report(0, ANNA, "/", &paths(&["/a.js"])).unwrap();
    assert_eq!(outputs(&mut visits, 5_000), [], "the report is the vote");
    fetch(&mut visits, 6_000, ANNA, "/worker.js", &["/data.bin"]);
    let told = outputs(&mut visits, 10_000);
    let used = VisitsOutput::Used { browser: ANNA, page: "/".to_owned(), paths: paths(&["/data.bin"]) };
    assert!(matches!(&told[..], [VisitsOutput::Vote { paths, .. }, last] if paths.len() == 3 && *last == used), "{told:?}");
}

#[test]
fn a_report_names_what_is_still_on_its_way_and_the_vote_follows_when_it_was_sent() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    let slow = visits.handle_asked(0, ANNA, "/slow.bin", Some("/")).unwrap();
    fetch(&mut visits, 0, ANNA, "/", &["/a.js"]);
    assert_eq!(accepted(&mut visits, ANNA, "/", &["/slow.bin", "/a.js"]), paths(&["/a.js"]));
    visits.handle_sent(9_000, slow);
    let told = outputs(&mut visits, 9_000 + VISIT_QUIET_MS);
    assert!(matches!(&told[..], [VisitsOutput::Vote { paths, .. }] if *paths == ["/slow.bin", "/a.js"]), "the page knows of it: {told:?}");
}

#[test]
fn a_reload_is_another_visit_and_what_the_cache_holds_was_sent_to_it() {
    let mut visits = visits();
    let first = open(&mut visits, 0, ANNA, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/app.js", "/data.bin"]);
    let second = open_as(&mut visits, 1_000, ANNA, "/", AnswerKind::Full, false);
    assert_ne!(first, second);
    let reported = visits.handle_report(1_000, ANNA, "/", &paths(&["/app.js"])).unwrap();
    assert_eq!(reported, Reported { voter: second, kind: AnswerKind::Full, accepted: paths(&["/app.js"]), others: paths(&[]) });
    fetch(&mut visits, 1_000, ANNA, "/", &["/data.bin"]);
    assert_eq!(visits.handle_report(1_000, ANNA, "/", &[]).unwrap().others, paths(&["/data.bin"]), "asked for again: used by this visit");
}

#[test]
fn what_another_page_was_sent_may_be_reported_from_the_cache() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    fetch(&mut visits, 0, ANNA, "/", &["/shared.js"]);
    open_as(&mut visits, 0, ANNA, "/about", AnswerKind::Full, false);
    let reported = visits.handle_report(0, ANNA, "/about", &paths(&["/shared.js"])).unwrap();
    assert_eq!((reported.accepted, reported.others), (paths(&["/shared.js"]), paths(&[])));
}

#[test]
fn a_request_is_part_of_the_visit_that_it_refers_to() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/one");
    open(&mut visits, 0, ANNA, "/two");
    fetch(&mut visits, 0, ANNA, "/one", &["/one.css"]);
    fetch(&mut visits, 0, ANNA, "/one.css", &["/font.woff2"]);
    fetch(&mut visits, 0, ANNA, "/two", &["/two.js"]);
    assert!(visits.handle_asked(0, ANNA, "/nobody.js", None).is_some(), "the latest visit");
    let one = visits.handle_report(0, ANNA, "/one", &[]).unwrap();
    assert_eq!(one.others, paths(&["/one.css", "/font.woff2"]));
    assert_eq!(visits.handle_report(0, ANNA, "/two", &[]).unwrap().others, paths(&["/two.js"]));
    let page = |referer| visits.find(ANNA, referer).map(|found| found.page.to_owned());
    assert_eq!(page(Some("/font.woff2")).as_deref(), Some("/one"));
    assert_eq!(page(Some("/unknown")).as_deref(), Some("/two"));
    assert_eq!((page(None).as_deref(), visits.find(BEN, None)), (Some("/two"), None));
}

#[test]
fn what_two_visits_were_sent_refers_to_the_one_that_was_sent_it_last() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/one");
    open(&mut visits, 0, ANNA, "/two");
    fetch(&mut visits, 0, ANNA, "/two", &["/shared.css"]);
    fetch(&mut visits, 0, ANNA, "/one", &["/shared.css"]);
    assert_eq!(visits.find(ANNA, Some("/shared.css")).map(|found| found.page), Some("/one"));
}

#[test]
fn an_asset_counts_once_and_the_document_not_at_all() {
    let mut visits = visits();
    open(&mut visits, 0, ANNA, "/");
    assert_eq!(visits.handle_asked(0, ANNA, "/", Some("/")), None);
    fetch(&mut visits, 0, ANNA, "/", &["/a.js", "/a.js"]);
    assert_eq!(visits.handle_asked(0, ANNA, "/a.js", Some("/")), None);
    assert_eq!(accepted(&mut visits, ANNA, "/", &["/a.js", "/a.js"]), paths(&["/a.js"]));
}
