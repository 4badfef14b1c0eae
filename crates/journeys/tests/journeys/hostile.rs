//! Seeders that send something else than the app: real pages whose sending is spoiled from outside.

use viral_journeys::browser::Engine::Chromium;
use viral_journeys::hostile::{FORGES_ONE_BYTE, LIES_IN_MANIFEST, SENDS_GARBAGE, STAYS_SILENT};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, fed_by_peers, first_seeder_with, scripted, seeds};

/// Everything in Cache Storage: `[path, sha256]` of each entry.
const STORED: &str = "
    const hex = buffer => Array.from(new Uint8Array(buffer), byte => byte.toString(16).padStart(2, '0')).join('');
    const stored = [];
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            const reply = await cache.match(request);
            stored.push([request.url, hex(await crypto.subtle.digest('SHA-256', await reply.arrayBuffer()))]);
        }
    }
    return stored;";

/// A visitor that meets the hostile seeder: its app runs whole all the same.
async fn unharmed(server: &Server, site: &Site) -> Visitor {
    let visitor = Visitor::fresh(Chromium).await;
    visitor.open(&server.url("/")).await;
    assert_whole(&visitor.until_app_runs().await, site);
    visitor
}

#[tokio::test]
async fn one_forged_byte_is_neither_run_nor_stored_nor_passed_on_and_its_sender_is_dropped() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let forger = first_seeder_with(&server, &site, Chromium, scripted(FORGES_ONE_BYTE)).await;
        let visitor = unharmed(&server, &site).await;
        assert_eq!(forger.run("return window.journey.forged").await, 1);
        visitor.until_status("it banned the forger", |status| status.bans == 1).await;
        assert_nothing_forged_is_stored(&visitor, &site).await;
        // Nothing forged is passed on: the next is fed by the one that met the forger, and by nobody else.
        forger.leave().await;
        seeds(&server, &visitor, 1).await;
        let next = fed_by_peers(&server, &site, Chromium).await;
        assert_nothing_forged_is_stored(&next, &site).await;
    })
    .await;
}

#[tokio::test]
async fn a_seeder_that_forges_for_everybody_is_dropped_by_the_tracker() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let forges_always = FORGES_ONE_BYTE.replace(" || journey.forged > 0", "");
        let forger = first_seeder_with(&server, &site, Chromium, scripted(&forges_always)).await;
        let mut met = Vec::new();
        for _ in 0..2 {
            let visitor = unharmed(&server, &site).await;
            // What it met is told to the tracker when it joins in itself.
            met.push(visitor.until_status("it seeds", |status| status.role == "seeder").await);
            // Gone, so that the next one meets the forger too and not this one.
            visitor.leave().await;
        }
        server.until_stats("the tracker dropped the forger", |stats| stats.bans >= 1).await;
        assert!(met.iter().all(|status| status.bans == 1 || status.answer == "full"), "{met:?}");
        drop(forger);
    })
    .await;
}

#[tokio::test]
async fn a_lying_manifest_is_refused_and_the_app_runs_from_the_origin() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let liar = first_seeder_with(&server, &site, Chromium, scripted(LIES_IN_MANIFEST)).await;
        let visitor = unharmed(&server, &site).await;
        assert!(liar.run("return window.journey.lies").await.as_u64() >= Some(1));
        assert_eq!(visitor.status().await.answer, "thin");
        visitor.until_status("it banned the liar", |status| status.bans == 1).await;
        assert_nothing_forged_is_stored(&visitor, &site).await;
    })
    .await;
}

#[tokio::test]
async fn a_seeder_that_accepts_and_stays_silent_costs_a_second_not_the_app() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let silent = first_seeder_with(&server, &site, Chromium, scripted(STAYS_SILENT)).await;
        let visitor = unharmed(&server, &site).await;
        let took_ms = visitor.run("return performance.now()").await.as_f64().expect("a time");
        assert!(silent.run("return window.journey.swallowed").await.as_u64() >= Some(1));
        let status = visitor.status().await;
        assert_eq!(status.answer, "thin");
        assert_eq!(status.bytes_from_peers, 0, "{status:?}");
        assert!(took_ms < 6_000.0, "the app ran only after {took_ms} ms");
    })
    .await;
}

/// What a seeder pushes unasked, in bytes (the tracker's default).
const PUSH_BUDGET: u64 = 1024 * 1024;

/// What a visitor does to the sender of garbage.
#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    /// Never talks to it again.
    Bans,
    /// Ends the connection.
    HangsUp,
}

async fn garbage_is_survived(kind: &str, reaction: Reaction) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let script = format!("window.journeyGarbage = '{kind}';{SENDS_GARBAGE}");
    let sender = first_seeder_with(&server, &site, Chromium, scripted(&script)).await;
    sender.until("its bomb is made", "window.journey.armed").await;
    let visitor = unharmed(&server, &site).await;
    sender.until("it sent garbage", "window.journey.garbage >= 1").await;
    match reaction {
        Reaction::Bans => drop(visitor.until_status("it banned the sender", |status| status.bans == 1).await),
        // The sender's own end sees it.
        Reaction::HangsUp => drop(sender.until("its channel was closed", "window.journey.hungUp >= 1").await),
    }
    let status = visitor.status().await;
    assert_eq!(status.answer, "thin", "{kind}");
    // While a bomb is being inflated, honest pieces behind it may be verified; at most what was pushed unasked.
    assert!(status.bytes_from_peers <= PUSH_BUDGET, "{kind}: {status:?}");
    assert_nothing_forged_is_stored(&visitor, &site).await;
}

#[tokio::test]
async fn an_inflate_bomb_is_stopped_at_the_length_its_piece_has() {
    journey(garbage_is_survived("inflate-bomb", Reaction::Bans)).await;
}

#[tokio::test]
async fn a_frame_of_an_unknown_type_ends_the_connection_not_the_visit() {
    journey(garbage_is_survived("unknown-type", Reaction::HangsUp)).await;
}

#[tokio::test]
async fn a_truncated_frame_ends_the_connection_not_the_visit() {
    journey(garbage_is_survived("truncated", Reaction::HangsUp)).await;
}

#[tokio::test]
async fn a_frame_too_long_ends_the_connection_not_the_visit() {
    journey(garbage_is_survived("too-long", Reaction::HangsUp)).await;
}

#[tokio::test]
async fn a_piece_nobody_asked_for_ends_the_connection_not_the_visit() {
    journey(garbage_is_survived("unasked-piece", Reaction::HangsUp)).await;
}

#[tokio::test]
async fn a_manifest_of_four_gigabytes_is_refused_at_its_first_part() {
    journey(garbage_is_survived("huge-manifest", Reaction::HangsUp)).await;
}

#[tokio::test]
async fn manifest_parts_out_of_order_end_the_connection_not_the_visit() {
    journey(garbage_is_survived("overlapping-manifest", Reaction::HangsUp)).await;
}

/// Each stored entry of the site is the file; documents are as their page ran, which [`assert_whole`] has checked.
async fn assert_nothing_forged_is_stored(visitor: &Visitor, site: &Site) {
    let stored = visitor.run_async(STORED).await;
    let known: Vec<&String> = site.digests().values().collect();
    let mut found = 0;
    for entry in stored.as_array().expect("a list") {
        let (url, digest) = (entry[0].as_str().unwrap_or_default(), entry[1].as_str().unwrap_or_default());
        if known.iter().any(|known| *known == digest) {
            found += 1;
            continue;
        }
        // Not an asset: the document with the addition, or bookkeeping of the store. Both must be small.
        let path = url.split_once("//").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        assert!(!path.ends_with(".bin") && !path.ends_with(".js"), "stored {url} is not the file: {digest}");
    }
    assert!(found > 0, "nothing of the site is stored: {stored}");
}
