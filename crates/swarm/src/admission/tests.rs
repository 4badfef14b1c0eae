//! One row per rule of admission, and what their order means.

use super::*;
use crate::rollout::Share;

/// A browser that navigates to a page that two peers hold.
pub(super) fn visit() -> Evidence {
    Evidence {
        method_get: true,
        fetch_dest: Some("document".to_owned()),
        fetch_mode: Some("navigate".to_owned()),
        has_sec_fetch: true,
        size: Size::Known { bytes: 1 << 30 },
        is_peer_ready: true,
        ..Evidence::default()
    }
}

type Change = fn(&mut Evidence);

/// One row per rule: what differs from [`visit`], and the answer. Ordered as the rules are.
const ROWS: &[(&str, Change, Decision)] = &[
    ("a post is not a visit", |e| e.method_get = false, Decision::Asset),
    ("an iframe is not a visit", |e| e.fetch_dest = Some("iframe".to_owned()), Decision::Asset),
    ("a frame of an object is not a visit", |e| e.fetch_dest = Some("object".to_owned()), Decision::Asset),
    ("a script's fetch is not a visit", set_fetch, Decision::Asset),
    ("a document fetched in another mode is not a visit", |e| e.fetch_mode = Some("cors".to_owned()), Decision::Asset),
    ("fetch metadata without a destination is not a visit", |e| e.fetch_dest = None, Decision::Asset),
    ("a prefetch is not a visit", |e| e.purpose_prefetch = true, Decision::Asset),
    ("a look at the source is not a visit", |e| e.wants_source = true, Decision::Asset),
    ("an image in its own tab is an asset", |e| e.page_viral = PageFitness::NotHtml, Decision::Asset),
    ("asked for plain", |e| e.forced_plain = true, Decision::Plain(Reason::Requested)),
    ("keeps nothing", |e| e.storage_blocked = true, Decision::Plain(Reason::Storage)),
    ("opted out", |e| e.cookie = CookieState::Off, Decision::Plain(Reason::OptOut)),
    ("saves data", |e| e.save_data = true, Decision::Plain(Reason::SaveData)),
    ("sends no fetch metadata", set_no_metadata, Decision::Plain(Reason::NotABrowser)),
    ("passed on by a worker", |e| e.fetch_dest = Some("empty".to_owned()), Decision::Plain(Reason::PassedOn)),
    ("is a bot", |e| e.bot = true, Decision::Plain(Reason::Bot)),
    ("failed before", |e| e.cookie = CookieState::Incapable, Decision::Plain(Reason::Incapable)),
    ("is too old", |e| e.too_old = true, Decision::Plain(Reason::Incapable)),
    ("would be prompted", |e| e.platform_prompts = true, Decision::Plain(Reason::Prompts)),
    ("nothing there", |e| e.page_viral = PageFitness::NotFound, Decision::Plain(Reason::NotFound)),
    ("no manifest", |e| e.page_viral = PageFitness::NoManifest, Decision::Plain(Reason::NoManifest)),
    ("small app", |e| e.size = Size::Known { bytes: 1 }, Decision::Plain(Reason::SmallApp)),
    ("own worker, seen in the page", |e| e.cookie = CookieState::OwnServiceWorker, Decision::Plain(Reason::OwnServiceWorker)),
    ("own worker, seen by the server", |e| e.page_viral = PageFitness::OwnServiceWorker, Decision::Plain(Reason::OwnServiceWorker)),
    ("policy of the page", |e| e.page_viral = PageFitness::Csp, Decision::Plain(Reason::Csp)),
    ("not utf-8", |e| e.page_viral = PageFitness::Encoding, Decision::Plain(Reason::Encoding)),
    ("stored, peers or not", |e| e.stored = true, Decision::Thin(Reason::Stored)),
    ("stored, its size not known", set_stored_and_new, Decision::Thin(Reason::Stored)),
    ("fetched by a worker with ours in it, peers or not", set_by_own_worker, Decision::Full(Reason::PassedOn)),
    ("unchanged, peers or not", |e| e.unchanged = true, Decision::Full(Reason::Unchanged)),
    ("unchanged, its size not known", set_unchanged_and_new, Decision::Full(Reason::Unchanged)),
    ("stored and unchanged", set_stored_and_unchanged, Decision::Thin(Reason::Stored)),
    ("size not known, peers or not", |e| e.size = Size::Unknown { at_least: 1 }, Decision::Full(Reason::Learning)),
    ("known to be large before enough have told", |e| e.size = Size::Unknown { at_least: 1 << 30 }, Decision::Thin(Reason::PeerNear)),
    ("peers near", |_| (), Decision::Thin(Reason::PeerNear)),
    ("nobody near", |e| e.is_peer_ready = false, Decision::Full(Reason::NoPeerNear)),
];

fn set_stored_and_new(evidence: &mut Evidence) {
    evidence.stored = true;
    evidence.size = Size::default();
}

fn set_unchanged_and_new(evidence: &mut Evidence) {
    evidence.unchanged = true;
    evidence.size = Size::default();
}

fn set_stored_and_unchanged(evidence: &mut Evidence) {
    evidence.stored = true;
    evidence.unchanged = true;
}

fn set_by_own_worker(e: &mut Evidence) {
    set_fetch(e);
    e.wants_source = true;
    e.by_own_worker = true;
}

fn set_fetch(evidence: &mut Evidence) {
    evidence.fetch_dest = Some("empty".to_owned());
    evidence.fetch_mode = Some("cors".to_owned());
}

fn set_no_metadata(evidence: &mut Evidence) {
    evidence.has_sec_fetch = false;
    evidence.fetch_dest = None;
    evidence.fetch_mode = None;
}

#[test]
fn each_rule_gives_its_answer() {
    for (name, change, expected) in ROWS {
        let mut evidence = visit();
        change(&mut evidence);
        assert_eq!(decide(&evidence, &Policy::default()), *expected, "{name}");
    }
}

#[test]
fn an_earlier_rule_wins_over_every_later_one() {
    // Rules that set the same field replace each other, so both orders of application are right only if the fields differ.
    let plain_rows: Vec<_> = ROWS.iter().filter(|row| matches!(row.2, Decision::Plain(_))).collect();
    for (index, (name, change, expected)) in plain_rows.iter().enumerate() {
        for (later_name, later_change, _) in &plain_rows[index..] {
            let mut evidence = visit();
            later_change(&mut evidence);
            change(&mut evidence);
            assert_eq!(decide(&evidence, &Policy::default()), *expected, "{name} over {later_name}");
        }
    }
}

#[test]
fn a_returning_visitor_needs_no_peer() {
    let evidence = Evidence { stored: true, is_peer_ready: false, ..visit() };
    assert_eq!(decide(&evidence, &Policy::default()), Decision::Thin(Reason::Stored));
}

#[test]
fn the_operator_may_accept_prompts_and_small_apps() {
    let evidence = Evidence { platform_prompts: true, size: Size::Known { bytes: 0 }, ..visit() };
    let policy = Policy { app_bytes_min: 0, prompts_allowed: true, ..Policy::default() };
    assert_eq!(decide(&evidence, &policy), Decision::Thin(Reason::PeerNear));
    let unknown = Evidence { size: Size::Unknown { at_least: 0 }, ..evidence };
    assert_eq!(decide(&unknown, &policy), Decision::Thin(Reason::PeerNear), "with 0 there is nothing to learn");
}

#[test]
fn who_asks_for_privacy_gets_what_the_operator_says() {
    let asked = |gpc, change: Change| {
        let mut evidence = Evidence { gpc: true, ..visit() };
        change(&mut evidence);
        decide(&evidence, &Policy { gpc, ..Policy::default() })
    };
    for change in [(|_| ()) as Change, |e| e.stored = true, |e| e.unchanged = true, |e| e.is_peer_ready = false] {
        assert_eq!(asked(Gpc::Plain, change), Decision::Plain(Reason::Gpc));
        let mut evidence = visit();
        change(&mut evidence);
        assert_eq!(asked(Gpc::Ignore, change), decide(&evidence, &Policy::default()));
        assert_eq!(
            decide(&evidence, &Policy { gpc: Gpc::Plain, ..Policy::default() }),
            decide(&evidence, &Policy::default()),
            "who does not"
        );
    }
    assert_eq!(asked(Gpc::Leech, |_| ()), Decision::Thin(Reason::PeerNear));
    assert_eq!(asked(Gpc::Leech, |e| e.stored = true), Decision::Thin(Reason::Stored));
    let never_full: [Change; 3] = [|e| e.is_peer_ready = false, |e| e.unchanged = true, |e| e.size = Size::Unknown { at_least: 1 }];
    assert!(never_full.iter().all(|change| asked(Gpc::Leech, *change) == Decision::Plain(Reason::Gpc)));
    assert_eq!(asked(Gpc::Leech, |e| e.save_data = true), Decision::Plain(Reason::SaveData), "other reasons as ever");
}

#[test]
fn an_app_of_exactly_the_least_size_takes_part() {
    let policy = Policy { app_bytes_min: 100, ..Policy::default() };
    let at = |size| decide(&Evidence { size, ..visit() }, &policy);
    assert_eq!(at(Size::Known { bytes: 100 }), Decision::Thin(Reason::PeerNear));
    assert_eq!(at(Size::Known { bytes: 99 }), Decision::Plain(Reason::SmallApp));
    assert_eq!(at(Size::Unknown { at_least: 100 }), Decision::Thin(Reason::PeerNear));
    assert_eq!(at(Size::Unknown { at_least: 99 }), Decision::Full(Reason::Learning));
}

#[test]
fn the_header_names_answer_and_reason() {
    assert_eq!(Decision::Full(Reason::NoPeerNear).header().as_deref(), Some("full; reason=no-peer-near"));
    assert_eq!(Decision::Plain(Reason::OwnServiceWorker).header().as_deref(), Some("plain; reason=own-service-worker"));
    assert_eq!(Decision::Asset.header(), None);
}

#[test]
fn tokens_are_distinct_and_fit_a_header_parameter() {
    let tokens: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_token()).collect();
    assert_eq!(tokens.len(), Reason::ALL.len());
    assert!(tokens.iter().all(|token| token.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
}

#[test]
fn who_is_held_out_gets_the_page_as_it_is_whatever_lies_in_its_store() {
    let policy = Policy { rollout: Rollout { holdout: Share::percent(5), ..Rollout::default() }, ..Policy::default() };
    let drew = |bits| Evidence { lot: Some(Lot::new(bits)), is_peer_ready: true, ..visit() };
    assert_eq!(decide(&drew(0), &policy), Decision::Plain(Reason::Holdout));
    assert_eq!(decide(&Evidence { stored: true, ..drew(0) }, &policy), Decision::Plain(Reason::Holdout));
    assert_eq!(decide(&drew(u64::from(u32::MAX)), &policy), Decision::Thin(Reason::PeerNear));
    assert_eq!(decide(&Evidence { lot: None, ..drew(0) }, &policy), Decision::Thin(Reason::PeerNear));
    assert_eq!(decide(&Evidence { is_native_peer: true, ..drew(0) }, &policy), Decision::Thin(Reason::PeerNear));
    let wishes = Evidence { save_data: true, ..drew(0) };
    assert_eq!(decide(&wishes, &policy), Decision::Plain(Reason::SaveData), "a reason of its own comes first");
}

#[test]
fn who_is_not_on_the_ramp_gives_and_does_not_take() {
    let policy = Policy { rollout: Rollout { ramp: Share::percent(10), ..Rollout::default() }, ..Policy::default() };
    let late = Evidence { lot: Some(Lot::new(u64::MAX)), is_peer_ready: true, ..visit() };
    assert_eq!(decide(&late, &policy), Decision::Full(Reason::Ramp));
    assert_eq!(decide(&Evidence { stored: true, ..late.clone() }, &policy), Decision::Full(Reason::Ramp));
    assert_eq!(decide(&Evidence { is_peer_ready: false, ..late.clone() }, &policy), Decision::Full(Reason::NoPeerNear));
    assert_eq!(decide(&Evidence { lot: Some(Lot::new(0)), ..late }, &policy), Decision::Thin(Reason::PeerNear));
}

#[test]
fn where_it_does_not_pay_nobody_takes_from_others_and_the_own_store_still_answers() {
    let slower = Evidence { is_not_worth_it: true, is_peer_ready: true, ..visit() };
    assert_eq!(decide(&slower, &Policy::default()), Decision::Full(Reason::NotWorthIt));
    assert_eq!(decide(&Evidence { stored: true, ..slower.clone() }, &Policy::default()), Decision::Thin(Reason::Stored));
    assert_eq!(decide(&Evidence { is_native_peer: true, ..slower }, &Policy::default()), Decision::Thin(Reason::PeerNear));
}

#[test]
fn in_quiet_hours_browsers_neither_give_nor_take_and_native_peers_do() {
    let policy = Policy { gpc: Gpc::Leech, ..Policy::default() };
    let quiet = Evidence { is_quiet: true, is_peer_ready: true, ..visit() };
    assert_eq!(decide(&quiet, &policy), Decision::Full(Reason::QuietHours));
    assert_eq!(
        decide(&Evidence { is_peer_ready: false, ..quiet.clone() }, &policy),
        Decision::Full(Reason::QuietHours),
        "and share no copy"
    );
    assert_eq!(decide(&Evidence { is_native_peer: true, ..quiet.clone() }, &policy), Decision::Thin(Reason::PeerNear));
    assert_eq!(
        decide(&Evidence { stored: true, ..quiet.clone() }, &policy),
        Decision::Thin(Reason::Stored),
        "what a visitor has costs nobody"
    );
    assert_eq!(decide(&Evidence { gpc: true, ..quiet.clone() }, &policy), Decision::Plain(Reason::Gpc));
    assert_eq!(decide(&Evidence { save_data: true, ..quiet }, &policy), Decision::Plain(Reason::SaveData));
}

#[test]
fn in_shadow_every_browser_gets_the_page_as_it_is() {
    let policy = Policy { rollout: Rollout { shadow: true, ..Rollout::default() }, ..Policy::default() };
    for evidence in [visit(), Evidence { is_peer_ready: false, ..visit() }, Evidence { lot: Some(Lot::new(1)), ..visit() }] {
        assert_eq!(decide(&evidence, &policy), Decision::Plain(Reason::Shadow));
    }
    assert_eq!(decide(&Evidence { is_native_peer: true, ..visit() }, &policy), Decision::Thin(Reason::PeerNear));
    assert_eq!(decide(&Evidence { method_get: false, ..visit() }, &policy), Decision::Asset);
}
