//! What a page can see of where it is: URL, history, other pages of the site, assets it asks for later.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::hostile::NOTES_SIGNALS;
use viral_journeys::http::NAVIGATION;
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site, noise, sha256};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, assert_whole_below, fed_by_peers, first_seeder, first_seeder_with, scripted, seeds, seeds_all};

#[tokio::test]
async fn query_and_fragment_are_the_same_in_a_thin_visit() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        for engine in [Chromium, Firefox] {
            let url = server.url("/?who=a%20b&n=1#part-2");
            let visitor = Visitor::visiting(engine, &url).await;
            assert_eq!(visitor.status().await.answer, "thin");
            assert_eq!(visitor.until_app_runs().await["url"], url);
            assert_eq!(visitor.url().await, url);
            assert_eq!(visitor.run("return history.state").await, serde_json::Value::Null);
            assert_eq!(visitor.run("return document.referrer").await, "");
            visitor.leave().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_fragment_scrolls_a_page_that_came_from_a_peer() {
    journey(async {
        let mut site = Site::empty();
        site.write("/big.js", [b"window.app = { done: true }; // ".as_slice(), "x".repeat(1 << 20).as_bytes()].concat());
        let page = "<!doctype html><title>Long</title><script src=/big.js></script><div style='height:9000px'></div><h2 id=deep>Deep</h2>\
                    <div style='height:9000px'></div>";
        site.write("/index.html", page);
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = Visitor::visiting(Chromium, &server.url("/")).await;
        seeds(&server, &seeder, 1).await;
        for engine in [Chromium, Firefox] {
            let visitor = Visitor::visiting(engine, &server.url("/#deep")).await;
            assert_eq!(visitor.status().await.answer, "thin");
            let place =
                "Math.abs(document.getElementById('deep').getBoundingClientRect().top) < 5 && document.querySelector(':target')?.id";
            assert_eq!(visitor.until("the heading is in sight", place).await, "deep");
            visitor.leave().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_asset_that_is_only_asked_for_with_a_query_is_seeded_by_the_first_visitor() {
    journey(async {
        let mut site = Site::empty();
        let body = noise(11, 1 << 20);
        site.write("/data.bin", &body);
        let page = "<!doctype html><title>Query</title><link rel=preload as=fetch crossorigin href='/data.bin?v=3'><script>
            fetch('/data.bin?v=3').then((reply) => reply.arrayBuffer()).then((body) => { window.app = { done: true, length: body.byteLength }; });</script>";
        site.write("/index.html", page);
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = Visitor::visiting(Chromium, &server.url("/")).await;
        seeds(&server, &seeder, 1).await;
        seeds_all(&server, body.len() as u64).await;
        let visitor = Visitor::visiting(Chromium, &server.url("/")).await;
        let status = visitor.status().await;
        assert_eq!(status.answer, "thin", "{:?}", server.stats().await);
        assert!(status.bytes_from_peers >= body.len() as u64, "{status:?} {:?}", server.stats().await);
    })
    .await;
}

#[tokio::test]
async fn the_first_visitor_can_give_all_that_a_thin_answer_promises() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = first_seeder_with(&server, &site, Chromium, scripted(NOTES_SIGNALS)).await;
        seeder.until("its offers are with the tracker", "window.journeySaid.includes('offers')").await;
        let thin = server.get("/", NAVIGATION).await.text();
        let (_, promised) = thin.split_once("\"bytes\":").expect("a thin answer names the bytes of the manifest");
        let (promised, _) = promised.split_once(',').expect("and more");
        seeder.until("it holds the app and the addition", &format!("window.journeyHeld.bytes === {promised}")).await;
        assert!(promised.parse::<u64>().is_ok_and(|bytes| bytes > site.len() + 10_000), "the addition is part of {promised}");
    })
    .await;
}

/// The page's own script of ours is in the browser's HTTP cache, from where it is seeded.
async fn addition_is_cached(engine: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let seeder = first_seeder(&server, &site, engine).await;
    let cached = "const { name } = performance.getEntriesByType('resource').find(({ name }) => name.includes('/.viral/addition.js?v='));
        return (await fetch(name, { cache: 'only-if-cached', mode: 'same-origin' })).ok;";
    assert_eq!(seeder.run_async(cached).await, true);
}

#[tokio::test]
async fn the_addition_is_in_the_cache_of_chromium_after_a_full_answer() {
    journey(addition_is_cached(Chromium)).await;
}

#[tokio::test]
async fn the_addition_is_in_the_cache_of_firefox_after_a_full_answer() {
    journey(addition_is_cached(Firefox)).await;
}

#[tokio::test]
async fn a_part_of_a_stored_asset_comes_from_the_store() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let visitor = fed_by_peers(&server, &site, Chromium).await;
        let whole = std::fs::read(site.folder().join("parts/1.bin")).expect("the part");
        let before = server.stats().await.origin_bytes.of_app();
        let script = "const reply = await fetch('/parts/1.bin', { headers: { range: 'bytes=1000-1999' } });
            const bytes = [...new Uint8Array(await reply.arrayBuffer())];
            return [reply.status, reply.headers.get('content-range'), bytes];";
        let reply = visitor.run_async(script).await;
        assert_eq!(reply[0], 206);
        assert_eq!(reply[1], format!("bytes 1000-1999/{}", whole.len()));
        assert_eq!(reply[2], serde_json::json!(whole[1000..2000]));
        assert_eq!(server.stats().await.origin_bytes.of_app(), before);
        let beyond = visitor.run_async("return (await fetch('/parts/1.bin', { headers: { range: 'bytes=99999999-' } })).status").await;
        assert_eq!(beyond, 416);
    })
    .await;
}

/// Says whether the page that `back` led to is the very one that was left, and if not, why the browser says it is not.
async fn back_and_forward(engine: Engine) -> (bool, String) {
    let mut site = App::default().site();
    site.write("/other.html", "<!doctype html><title>Other</title><p>Another page.");
    let server = Server::serve(site.folder(), &[]).await;
    let seeder = first_seeder(&server, &site, Chromium).await;
    let visitor = fed_by_peers(&server, &site, engine).await;
    seeds(&server, &visitor, 2).await;
    visitor.run("window.isTheSame = true").await;
    visitor.open(&server.url("/other.html")).await;
    visitor.until("the other page is there", OTHER_IS_THERE).await;
    visitor.back().await;
    assert_whole(&visitor.until_app_runs().await, &site);
    let is_the_same = visitor.run("return window.isTheSame === true").await == true;
    let reasons = visitor.run("return performance.getEntriesByType('navigation')[0].notRestoredReasons").await.to_string();
    // It takes part again, and really: it alone feeds the next.
    visitor.until_status("it seeds again", |status| status.role == "seeder").await;
    seeder.leave().await;
    server.until_seeders(1).await;
    fed_by_peers(&server, &site, Chromium).await.leave().await;
    visitor.forward().await;
    visitor.until("the other page is there", OTHER_IS_THERE).await;
    visitor.back().await;
    assert_whole(&visitor.until_app_runs().await, &site);
    // The second time, too, after it fed somebody.
    visitor.until_status("it seeds once more", |status| status.role == "seeder").await;
    (is_the_same, reasons)
}

const OTHER_IS_THERE: &str = "document.title === 'Other' && document.readyState === 'complete'";

#[tokio::test]
async fn back_and_forward_in_chromium_come_from_its_page_cache_and_seed_again() {
    journey(async {
        let (is_the_same, reasons) = back_and_forward(Chromium).await;
        assert!(is_the_same, "{reasons}");
    })
    .await;
}

#[tokio::test]
async fn back_and_forward_in_firefox_run_the_app_and_seed_again() {
    journey(async {
        back_and_forward(Firefox).await;
    })
    .await;
}

async fn reload(engine: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let _seeder = first_seeder(&server, &site, Chromium).await;
    let visitor = fed_by_peers(&server, &site, engine).await;
    seeds(&server, &visitor, 2).await;
    visitor.run("window.app = undefined").await;
    let before = server.stats().await.origin_bytes.of_app();
    visitor.reload().await;
    assert_whole(&visitor.until_app_runs().await, &site);
    let (stats, status) = (server.stats().await, visitor.status().await);
    let sent = stats.origin_bytes.of_app() - before;
    assert!(sent < site.len() / 10, "a reload cost the origin {sent} bytes: {status:?} {stats:?}");
    seeds(&server, &visitor, 2).await;
}

#[tokio::test]
async fn a_reload_in_chromium_runs_the_app_again_and_costs_the_origin_next_to_nothing() {
    journey(reload(Chromium)).await;
}

#[tokio::test]
async fn a_reload_in_firefox_runs_the_app_again_and_costs_the_origin_next_to_nothing() {
    journey(reload(Firefox)).await;
}

/// Two pages whose parts are the same bytes under other names, except the first part of each.
fn two_pages() -> Site {
    let mut site = App::default().site();
    site.write_app("/docs", &App { version: "docs", ..App::default() });
    site
}

#[tokio::test]
async fn the_second_page_of_a_site_takes_from_peers_what_both_pages_share() {
    journey(async {
        let site = two_pages();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = {
            let visitor = Visitor::visiting(Chromium, &server.url("/")).await;
            seeds(&server, &visitor, 1).await;
            visitor
        };
        let visitor = Visitor::visiting(Chromium, &server.url("/")).await;
        assert_eq!(visitor.status().await.answer, "thin");
        seeds(&server, &visitor, 2).await;
        let before = server.stats().await.origin_bytes.of_app();
        visitor.run("location.href = '/docs/'").await;
        let app =
            visitor.until("the second page runs", "location.pathname === '/docs/' && window.app && window.app.done && window.app").await;
        assert_whole_below(&app, &site, "/docs");
        assert_eq!(app["version"], "docs");
        // One part of six and the small files differ.
        let (stats, status) = (server.stats().await, visitor.status().await);
        let sent = stats.origin_bytes.of_app() - before;
        assert!(sent < 1024 * 1024, "the second page cost the origin {sent} bytes: {status:?} {stats:?}");
        seeds(&server, &visitor, 2).await;
    })
    .await;
}

async fn later_asset(engine: Engine) {
    const LEN: usize = 5 << 20;
    let mut site = App::default().site();
    let later = noise(99, LEN);
    let digest = sha256(&later);
    site.write("/later.bin", &later);
    let server = Server::serve(site.folder(), &[]).await;
    let seeder = Visitor::visiting(Chromium, &server.url("/")).await;
    assert_eq!(seeder.sha256_of("/later.bin").await, digest);
    seeds(&server, &seeder, 1).await;
    seeds_all(&server, site.len()).await;
    let visitor = Visitor::visiting(engine, &server.url("/")).await;
    let status = visitor.status().await;
    assert_eq!(status.answer, "thin", "{:?}", server.stats().await);
    let before = server.stats().await.origin_bytes.of_app();
    assert_eq!(visitor.sha256_of("/later.bin").await, digest);
    // Asked for, or fetched beforehand since the first visitor used it: of all that this one has, only a peer can have given so much.
    let after = visitor.until_status("the asset is counted", |now| now.bytes_from_peers >= LEN as u64 * 9 / 10).await;
    assert_eq!(after.bans, 0);
    let sent = server.stats().await.origin_bytes.of_app() - before;
    assert!(sent < LEN as u64 / 10, "the asset cost the origin {sent} bytes");
}

#[tokio::test]
async fn an_asset_chromium_asks_for_after_load_comes_from_a_peer() {
    journey(later_asset(Chromium)).await;
}

#[tokio::test]
async fn an_asset_firefox_asks_for_after_load_comes_from_a_peer() {
    journey(later_asset(Firefox)).await;
}
