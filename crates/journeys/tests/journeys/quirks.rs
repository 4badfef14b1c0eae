//! Sites and browsers with something of their own where we would be: they notice nothing of us.

use serde_json::json;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

/// Length of the app, in bytes: large enough to travel by default.
const APP_LEN: usize = 1 << 20;

/// A page whose head holds `head`; `window.app.done` once it has loaded.
fn site(head: &str) -> Site {
    let mut site = Site::empty();
    let script = "addEventListener('load', () => { window.app.done = true; }); // ";
    site.write("/big.js", [script.as_bytes(), "x".repeat(APP_LEN).as_bytes()].concat());
    site.write("/index.html", format!("<!doctype html><title>Quirk</title>{head}<script src=/big.js></script><p>The app</p>"));
    site
}

/// A full visitor that seeds the site, and a visitor of each engine that is answered thin.
async fn full_and_thin(site: &Site) -> (Server, Vec<Visitor>) {
    let server = Server::serve(site.folder(), &[]).await;
    let mut visitors = vec![Visitor::visiting(Chromium, &server.url("/")).await];
    server.until_seeders(1).await;
    for engine in [Chromium, Firefox] {
        let visitor = Visitor::visiting(engine, &server.url("/")).await;
        visitors.push(visitor);
        let stats = server.until_seeders(visitors.len() as u64).await;
        assert_eq!(stats.answers.thin, visitors.len() as u64 - 1, "{:?}", stats.reasons);
    }
    (server, visitors)
}

#[tokio::test]
async fn a_site_that_has_a_viral_of_its_own_keeps_it_and_is_seeded_all_the_same() {
    journey(async {
        let site = site("<script>window.app = {}; var viral = 'mine';</script>");
        let (_server, visitors) = full_and_thin(&site).await;
        for visitor in &visitors {
            assert_eq!(visitor.run("return window.viral").await, "mine", "{:?}", visitor.engine());
        }
    })
    .await;
}

#[tokio::test]
async fn a_site_that_gets_a_viral_of_its_own_late_has_it() {
    journey(async {
        let site = site("<script>window.app = {};</script>");
        let (_server, visitors) = full_and_thin(&site).await;
        for visitor in &visitors {
            assert_eq!(visitor.run("return typeof window.viral.status").await, "function");
            assert_eq!(visitor.run("'use strict'; window.viral = 'mine'; return [window.viral, viral]").await, json!(["mine", "mine"]));
            let declared = "const script = document.createElement('script'); script.textContent = 'let viral = 7; window.declared = viral';
                document.body.append(script); return window.declared";
            assert_eq!(visitor.run(declared).await, 7, "{:?}", visitor.engine());
        }
    })
    .await;
}

#[tokio::test]
async fn a_site_that_replaces_fetch_sees_nothing_of_ours_and_is_seeded_all_the_same() {
    journey(async {
        let mocked = "<script>window.app = { seen: [] };
            window.fetch = (input) => { app.seen.push(String(input)); return Promise.reject(new TypeError('mocked')); };</script>";
        let site = site(mocked);
        let (_server, visitors) = full_and_thin(&site).await;
        for visitor in &visitors {
            assert_eq!(visitor.run("return app.seen").await, json!([]), "{:?}", visitor.engine());
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_sees_its_load_and_then_its_pageshow_once() {
    journey(async {
        let note = "<script>window.app = { events: [] };
            for (const kind of ['DOMContentLoaded', 'load', 'pageshow']) addEventListener(kind, (event) => app.events.push([kind, event.persisted === true]));
            </script>";
        let site = site(note);
        let (_server, visitors) = full_and_thin(&site).await;
        for visitor in &visitors {
            let events = visitor.until("pageshow was fired", "app.events.length >= 3 && app.events").await;
            assert_eq!(events, json!([["DOMContentLoaded", false], ["load", false], ["pageshow", false]]), "{:?}", visitor.engine());
        }
    })
    .await;
}

#[tokio::test]
async fn selectors_of_the_page_find_nothing_of_ours() {
    journey(async {
        let site = site("<script>window.app = {};</script>");
        let (_server, visitors) = full_and_thin(&site).await;
        for visitor in &visitors {
            let found = "return [document.querySelector('body > :last-child').textContent, document.body.children.length, document.querySelector('[src*=viral]')]";
            assert_eq!(visitor.run(found).await, json!(["The app", 1, null]), "{:?}", visitor.engine());
        }
    })
    .await;
}

#[tokio::test]
async fn a_phone_lays_a_page_out_as_wide_as_the_page_says() {
    journey(async {
        let head = "<script>window.app = {};</script>";
        for (head, width) in [(head.to_owned(), 980), (format!("<meta name=viewport content='width=device-width'>{head}"), 390)] {
            let site = site(&head);
            let server = Server::serve(site.folder(), &[]).await;
            let _seeder = Visitor::visiting(Chromium, &server.url("/")).await;
            server.until_seeders(1).await;
            let phone = Visitor::fresh(Chromium).await;
            let screen = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
            phone.devtools("Emulation.setDeviceMetricsOverride", &screen).await;
            phone.open(&server.url("/")).await;
            phone.until_app_runs().await;
            assert_eq!(phone.status().await.answer, "thin");
            assert_eq!(phone.run("return document.documentElement.clientWidth").await, width);
        }
    })
    .await;
}

async fn blocks_cookies(engine: Engine) {
    let site = site("<script>window.app = {};</script>");
    let server = Server::serve(site.folder(), &[]).await;
    let _seeder = Visitor::visiting(Chromium, &server.url("/")).await;
    server.until_seeders(1).await;
    let visitor = Visitor::with(engine, Setting { blocks_cookies: true, ..Setting::default() }).await;
    for visits in 1..=2 {
        visitor.open(&server.url("/?x=1")).await;
        visitor.until_app_runs().await;
        let stats = server.stats().await;
        assert_eq!(stats.reason("plain", "storage"), visits, "{:?}", stats.reasons);
        assert_eq!(stats.matches["opened"], 0, "nobody was dialled in vain: {}", stats.matches);
        visitor.run("window.app.done = false").await;
    }
}

#[tokio::test]
async fn chromium_that_keeps_nothing_gets_the_page_plain_at_once() {
    journey(blocks_cookies(Chromium)).await;
}

#[tokio::test]
async fn firefox_that_keeps_nothing_gets_the_page_plain_at_once() {
    journey(blocks_cookies(Firefox)).await;
}
