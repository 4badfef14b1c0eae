//! Peers, workers and disks at their worst, once the app runs: the page gets what it asks for, as a plain one does.

use std::time::Duration;

use serde_json::{Value, json};
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::browser::Setting;
use viral_journeys::deadlines;
use viral_journeys::hostile::SPOILS_PIECES;
use viral_journeys::server::Server;
use viral_journeys::site::{Site, sha256};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{journey, until};

use super::{Expected, full_visit, noise, script, site_of, thin_visit, visit};
use crate::common::{scripted, seeds};

/// Length of what everybody uses.
const SCRIPT: usize = 1 << 20;

/// Length of what is asked for late.
const LATE: usize = 4 << 20;

/// Until the page has what it asked for: a peer that sends nothing costs seconds, not a minute.
const COMES_WITHIN: Duration = Duration::from_secs(20);

fn adverse() -> Site {
    let mut site = site_of(include_str!("adverse.html"));
    site.write("/app.js", script(31, SCRIPT, "window.appScript = 'ran';"));
    site.write("/late.bin", late(32));
    site.write("/asks.js", include_str!("asks.js"));
    site.write("/reading.js", include_str!("reading.js"));
    site
}

fn late(seed: u64) -> Vec<u8> {
    noise(seed, LATE)
}

/// What the page says of the late file that `seed` makes.
fn whole(seed: u64) -> Value {
    json!([200, LATE, sha256(&late(seed))])
}

/// What `window.app.<name>()` comes to in this page.
async fn comes_to(visitor: &Visitor, call: &str, within: Duration) -> Value {
    visitor
        .run(&format!("window.came = null; window.{call}().then((it) => window.came = it, (error) => window.came = String(error))"))
        .await;
    visitor.until_within(within, call, "window.came").await
}

/// A page whose only peer sends pieces as `how` says, from the middle of the app on.
async fn spoiled_pieces_are_survived(how: &str) {
    let site = adverse();
    let server = Server::serve(site.folder(), &[]).await;
    let script = format!("window.journeyPieces = '{how}'; window.journeyAfter = {}; {SPOILS_PIECES}", SCRIPT / 2);
    let spoiler = visit(&server, Chromium, "/", scripted(&script), 0).await.visitor;
    assert_eq!(comes_to(&spoiler, "late", COMES_WITHIN).await, whole(32));
    server.until_stats("the page is known to use it", |stats| stats.pages.iter().any(|page| page.set_bytes > LATE as u64)).await;
    seeds(&server, &spoiler, 1).await;
    let seen = visit(&server, Chromium, "/", Setting::default(), 0).await;
    assert_eq!(seen.status.answer, "thin", "{:?}", server.stats().await.reasons);
    for time in ["first", "second"] {
        assert_eq!(comes_to(&seen.visitor, "late", COMES_WITHIN).await, whole(32), "{how}, the {time} time");
    }
    let spoiled = spoiler.run("return window.journey.spoiled").await;
    assert!(spoiled.as_u64() > Some(0), "nothing was spoiled");
}

#[tokio::test]
async fn a_seeder_that_sends_pieces_in_reverse_costs_a_page_nothing() {
    journey(spoiled_pieces_are_survived("reverse")).await;
}

#[tokio::test]
async fn a_seeder_that_sends_each_piece_twice_costs_a_page_nothing() {
    journey(spoiled_pieces_are_survived("twice")).await;
}

#[tokio::test]
async fn a_seeder_that_stops_sending_pieces_costs_a_page_seconds() {
    journey(spoiled_pieces_are_survived("never")).await;
}

/// The thin visitor of a site with one seeder.
async fn fed(server: &Server) -> (Visitor, Visitor) {
    let seeder = full_visit(server, Chromium, "/", SCRIPT as u64).await.visitor;
    let expected = Expected { peers_min: SCRIPT as u64 / 2, origin_max: SCRIPT as u64 };
    (thin_visit(server, Chromium, "/", expected, Setting::default()).await.visitor, seeder)
}

/// Browsers alone need ten seconds for so many requests on an idle machine, and a minute on a busy one.
const TEN_THOUSAND_WITHIN: Duration = Duration::from_secs(100);

#[tokio::test]
async fn a_worker_that_asks_for_ten_thousand_paths_is_answered() {
    journey(async {
        let site = adverse();
        let server = Server::serve(site.folder(), &[]).await;
        let (visitor, _seeder) = fed(&server).await;
        assert_eq!(comes_to(&visitor, "askTooMuch", TEN_THOUSAND_WITHIN).await, json!([{ "404": 10_000 }, sha256(&late(32))]));
        // Everything else goes on.
        assert_eq!(comes_to(&visitor, "late", COMES_WITHIN).await, whole(32));
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_costs_the_page_nothing() {
    journey(async {
        let site = adverse();
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = full_visit(&server, Chromium, "/", SCRIPT as u64).await.visitor;
        let visitor = Visitor::fresh(Chromium).await;
        let origin = format!("http://{}", server.address());
        visitor.devtools("Storage.overrideQuotaForOrigin", &json!({ "origin": origin, "quotaSize": SCRIPT / 2 })).await;
        visitor.open(&server.url("/")).await;
        let app = visitor.until_app_runs().await;
        assert_eq!(app["result"]["script"], "ran");
        assert_eq!(comes_to(&visitor, "late", COMES_WITHIN).await, whole(32));
        assert_eq!(visitor.status().await.answer, "thin");
        // Nor does the next visit run into what could not be kept.
        visitor.reload().await;
        assert_eq!(visitor.until_app_runs().await["result"]["script"], "ran");
        assert_eq!(comes_to(&visitor, "late", COMES_WITHIN).await, whole(32));
        drop(seeder);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_changes_while_the_page_is_open_is_what_a_plain_page_gets() {
    journey(async {
        let mut site = adverse();
        let server = Server::serve(site.folder(), &[]).await;
        let (visitor, seeder) = fed(&server).await;
        assert_eq!(comes_to(&seeder, "late", COMES_WITHIN).await, whole(32));
        let changed = late(33);
        site.write("/late.bin", &changed);
        until("the new file is served", deadlines::CONDITION, async || {
            if server.get("/late.bin", &[]).await.body == changed { Ok(()) } else { Err("the old one is".to_owned()) }
        })
        .await;
        let came = comes_to(&visitor, "late", COMES_WITHIN).await;
        assert!([whole(32), whole(33)].contains(&came), "a mix of two files: {came}");
    })
    .await;
}
