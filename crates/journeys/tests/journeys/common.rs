//! What most journeys begin with and ask at the end.

use serde_json::Value;
use viral_journeys::browser::{Engine, Setting};
use viral_journeys::server::{Server, Stats};
use viral_journeys::site::Site;
use viral_journeys::visitor::{Status, Visitor};

/// Largest share of the app, in percent, that the origin may still send when peers feed a visitor.
///
/// On an idle machine it is close to 0. Where browsers wait for a core, pieces are late and hedged by design: up to a quarter of the
/// app within the hedge budget, and what the origin gave before the first channel opened.
const ORIGIN_SHARE_MAX_PERCENT: u64 = 40;

/// Most that a thin visit may cost the origin besides the app: the thin answer (14,600 bytes) and the service worker with its head. The viral addition
/// would be too much: it comes with the app. Whoever fed this visitor may fetch its own worker just now, too.
const LOADER_BYTES_MAX: u64 = 26_000;

/// The first visitor: gets the whole page and is ready to seed it.
pub(crate) async fn first_seeder(server: &Server, site: &Site, engine: Engine) -> Visitor {
    first_seeder_with(server, site, engine, Setting::default()).await
}

/// The first visitor, in a browser with a special setting.
pub(crate) async fn first_seeder_with(server: &Server, site: &Site, engine: Engine, setting: Setting) -> Visitor {
    let visitor = Visitor::with(engine, setting).await;
    visitor.open(&server.url("/")).await;
    assert_whole(&visitor.until_app_runs().await, site);
    assert_eq!(visitor.status().await.answer, "full");
    seeds(server, &visitor, 1).await;
    visitor
}

/// Waits until this visitor seeds and the server counts `count` seeders.
pub(crate) async fn seeds(server: &Server, visitor: &Visitor, count: u64) {
    visitor.until_status("it seeds", |status| status.role == "seeder").await;
    server.until_seeders(count).await;
}

/// Waits until what was used, about so many bytes, is a page's set and a seeder holds that whole.
///
/// A page says what it used once it is quiet; the set grows by that, and until its seeders followed, visitors are answered full.
pub(crate) async fn seeds_all(server: &Server, set_bytes: u64) {
    let follows = |stats: &Stats| stats.pages.iter().any(|page| page.seeders > 0 && page.set_bytes >= share_of(set_bytes, 90));
    server.until_stats(&format!("a seeder holds a page set of {set_bytes} bytes"), follows).await;
}

/// A visitor whose app comes from peers: checks the bytes on both sides, and that it runs.
///
/// On a machine busy with something else a dial may take longer than the origin, which is on the same machine, needs for the
/// app; such a visit says nothing about peers, so a second visitor is sent after it, and only one.
pub(crate) async fn fed_by_peers(server: &Server, site: &Site, engine: Engine) -> Visitor {
    let seeders = server.stats().await.seeders;
    let (visitor, before, after) = visit(server, site, engine).await;
    let status = visitor.status().await;
    if status.answer == "thin" && status.bytes_from_peers < share_of(site.len(), 100 - ORIGIN_SHARE_MAX_PERCENT) {
        println!("{engine:?} was fed mostly by the origin, trying once more: {status:?} {after:?}");
        visitor.leave().await;
        server.until_seeders(seeders).await;
        let (visitor, before, after) = visit(server, site, engine).await;
        assert_peers_fed(&visitor.status().await, site, &before, &after);
        return visitor;
    }
    assert_peers_fed(&status, site, &before, &after);
    visitor
}

async fn visit(server: &Server, site: &Site, engine: Engine) -> (Visitor, Stats, Stats) {
    let before = server.stats().await;
    let visitor = Visitor::visiting(engine, &server.url("/")).await;
    assert_whole(&visitor.until_app_runs().await, site);
    visitor.status().await;
    let after = server.stats().await;
    (visitor, before, after)
}

fn assert_peers_fed(status: &Status, site: &Site, before: &Stats, after: &Stats) {
    assert!(status.bytes_from_peers > 0, "nothing came from peers: {status:?} {after:?}");
    assert_fed_by_peers(status, site.len());
    assert_eq!(after.answers.thin - before.answers.thin, 1, "exactly one thin answer");
    let sent = after.origin_bytes.of_app() - before.origin_bytes.of_app();
    assert!(
        sent <= share_of(site.len(), ORIGIN_SHARE_MAX_PERCENT),
        "the origin still sent {sent} of {} bytes: {:?}",
        site.len(),
        after.origin_bytes
    );
    let besides = after.origin_bytes.loader - before.origin_bytes.loader;
    assert!(besides <= LOADER_BYTES_MAX, "the origin sent {besides} bytes besides the app: {:?}", after.origin_bytes);
}

/// The visitor itself says that nearly everything came from peers and matched.
pub(crate) fn assert_fed_by_peers(status: &Status, app_len: u64) {
    assert_eq!(status.answer, "thin", "{status:?}");
    assert!(status.bytes_from_peers >= share_of(app_len, 100 - ORIGIN_SHARE_MAX_PERCENT), "of {app_len}: {status:?}");
    assert!(status.pieces_verified > 0, "{status:?}");
    assert_eq!(status.bans, 0, "{status:?}");
}

fn share_of(len: u64, percent: u64) -> u64 {
    len * percent / 100
}

/// Every asset is, as the page's own `fetch` read it, what is on disk; styles, title and encoding are the document's.
pub(crate) fn assert_whole(app: &Value, site: &Site) {
    assert_whole_below(app, site, "");
}

/// [`assert_whole`] for the app in one folder of a site with several.
pub(crate) fn assert_whole_below(app: &Value, site: &Site, folder: &str) {
    let version = app["version"].as_str().expect("an app has a version");
    assert_eq!(app["errors"], serde_json::json!([]));
    for (path, digest) in app["digests"].as_object().expect("an app lists digests") {
        assert_eq!(Some(digest.as_str().unwrap_or_default()), site.digests().get(path).map(String::as_str), "{path}");
        assert!(path.starts_with(folder), "{path}");
    }
    assert!(app["digests"].as_object().is_some_and(|digests| digests.len() > 3));
    for said in app["versions"].as_array().expect("an app lists versions") {
        assert_eq!(said, version);
    }
    assert_eq!(app["title"], format!("App {version}"));
    assert_eq!(app["color"], "rgb(1, 2, 3)");
    assert_eq!(app["charset"], "UTF-8");
    assert_eq!(app["mode"], "CSS1Compat");
    let events = app["events"].as_array().expect("an app lists events");
    for event in ["DOMContentLoaded", "load"] {
        assert_eq!(events.iter().filter(|seen| *seen == event).count(), 1, "{event} once in {events:?}");
    }
}

/// A setting that runs `script` before each page's own scripts.
pub(crate) fn scripted(script: &str) -> Setting {
    Setting { script_before_load: Some(script.to_owned()), ..Setting::default() }
}
