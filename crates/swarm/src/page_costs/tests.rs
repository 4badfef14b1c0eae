//! The names on the statistics page, what is counted where, and how far.

use serde_json::json;

use super::*;
use crate::limits::FROM_ORIGIN_MAX;

/// A site of five assets.
fn site() -> SiteFacts<impl Fn(&str) -> Option<AssetFacts>> {
    let assets = [("/index.html", 68, true), ("/app.js", 18, false), ("/404.html", 38, true), ("/about/index.html", 36, true)];
    let assets = BTreeMap::from_iter(
        assets.into_iter().chain([("/late.bin", 20_000, false)]).map(|(path, len, is_document)| (path, AssetFacts { len, is_document })),
    );
    SiteFacts {
        assets: assets.len(),
        bytes: assets.values().map(|asset| asset.len).sum(),
        asset: move |path: &str| assets.get(path).copied(),
    }
}

fn facts() -> SetFacts {
    let rings = [("/index.html", Ring::Critical), ("/app.js", Ring::Critical), ("/late.bin", Ring::Expected)];
    let rings = rings.into_iter().map(|(path, ring)| (path.to_owned(), ring)).collect();
    SetFacts { bytes: 500, seeders: 2, used_bytes_p50: Some(400), rings }
}

fn json(costs: &PageCosts) -> serde_json::Value {
    serde_json::to_value(costs.snapshot("/", &facts(), &site()).unwrap()).unwrap()
}

#[test]
fn a_page_has_the_names_of_the_contract() {
    let mut costs = PageCosts::default();
    costs.add_document("/", 70);
    costs.add_asset("/", "/app.js", 17, Taken::Whole, false);
    costs.add_asset("/", "/late.bin", 1_000, Taken::Pieces, true);
    costs.add_asset("/", "/gone.js", 3, Taken::Whole, true);
    costs.add_asset("/", "/.viral/addition.js", 5, Taken::Pieces, true);
    costs.add_other("/", 6);
    costs.add_from_peers("/", 90, [50, 30, 10]);
    let found = json(&costs);
    let names: Vec<&String> = found.as_object().unwrap().keys().collect();
    assert_eq!(names, ["from_origin", "origin_bytes", "page", "peer_bytes", "rings", "seeders", "set_bytes", "used_bytes_p50"]);
    assert_eq!((&found["page"], &found["set_bytes"], &found["used_bytes_p50"]), (&json!("/"), &json!(500), &json!(400)));
    assert_eq!(found["seeders"], 2);
    assert_eq!((&found["peer_bytes"], &found["origin_bytes"]), (&json!(90), &json!(70 + 17 + 1_000 + 3 + 5 + 6)));
    let ring = |name: &str| {
        let ring = &found["rings"][name];
        (ring["assets"].as_u64().unwrap(), ring["peer_bytes"].as_u64().unwrap(), ring["origin_bytes"].as_u64().unwrap())
    };
    assert_eq!((ring("critical"), ring("expected"), ring("on_demand")), ((2, 50, 70 + 17), (1, 30, 1_000), (2, 10, 3)));
    assert_eq!(found["rings"]["expected"]["bytes"], 20_000);
    let expected = json!([
        { "path": "/late.bin", "bytes": 1_000, "why": "no-peer" },
        { "path": "/gone.js", "bytes": 3, "why": "on-demand" },
    ]);
    assert_eq!(found["from_origin"], expected);
}

#[test]
fn why_an_asset_still_comes_from_the_origin_is_said_as_far_as_it_is_known() {
    let mut costs = PageCosts::default();
    costs.add_asset("/", "/about/index.html", 4, Taken::Whole, true);
    costs.add_asset("/", "/app.js", 3, Taken::Whole, true);
    let facts = SetFacts { rings: BTreeMap::from([("/app.js".to_owned(), Ring::Critical)]), ..SetFacts::default() };
    let why = |facts| serde_json::to_value(costs.snapshot("/", &facts, &site()).unwrap()).unwrap()["from_origin"].take();
    let path = |path: &str, bytes: u64, why: &str| json!({ "path": path, "bytes": bytes, "why": why });
    assert_eq!(why(facts), json!([path("/about/index.html", 4, "document"), path("/app.js", 3, "past-worker")]));
    assert_eq!(why(SetFacts::default()), json!([path("/about/index.html", 4, "document"), path("/app.js", 3, "short")]));
}

#[test]
fn at_most_so_many_assets_are_named_and_counted_one_by_one() {
    let mut costs = PageCosts::default();
    for n in 0..COUNTED_ASSETS_MAX {
        costs.add_asset("/", &format!("/{n}"), n as u64 + 1, Taken::Whole, true);
    }
    costs.add_asset("/", "/one-more", 1_000_000, Taken::Whole, true);
    costs.add_asset("/", "/0", 1_000, Taken::Whole, true);
    let found = json(&costs);
    let named = found["from_origin"].as_array().unwrap();
    assert_eq!((named.len(), &named[0]["path"], &named[0]["bytes"]), (FROM_ORIGIN_MAX, &json!("/0"), &json!(1_001)));
    let all = (1..=COUNTED_ASSETS_MAX as u64).sum::<u64>() + 1_001_000;
    assert_eq!(found["origin_bytes"], all, "the bytes of one too many are counted, too");
}

#[test]
fn of_too_many_pages_the_one_with_fewest_bytes_is_forgotten() {
    let mut costs = PageCosts::default();
    for n in 0..COUNTED_PAGES_MAX {
        costs.add_document(&format!("/{n}"), n as u64 + 1);
    }
    assert_eq!(costs.pages().len(), COUNTED_PAGES_MAX, "at the maximum");
    costs.add_document("/one-more", 2);
    let pages = costs.pages();
    assert_eq!(pages.len(), COUNTED_PAGES_MAX);
    assert!(!pages.contains(&"/0".to_owned()) && pages.contains(&"/one-more".to_owned()));
    assert_eq!(pages[0], format!("/{}", COUNTED_PAGES_MAX - 1), "most bytes first");
}
