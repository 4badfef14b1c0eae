//! Shapes in which pages ask for what they use: each gives the same result plain, full and thin, and comes from peers.
//!
//! Every server runs with its default settings, so the sites are as large as those of users.

mod adverse;
mod languages;
mod markup;
mod ranges;
mod requests;
mod returning;
mod routed;
mod streams;
mod workers;

use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::{Engine, Setting};
use viral_journeys::server::Server;
use viral_journeys::site::{self, Site};
use viral_journeys::visitor::{Status, Visitor};
use viral_journeys::wait;

use crate::common::{seeds, seeds_all};

/// Least share, in percent, that peers give of what a thin visitor uses.
const FED_MIN_PERCENT: u64 = 90;

/// What peers must give a thin visitor, and what the origin may, in bytes of the app.
#[derive(Debug, Clone, Copy)]
struct Expected {
    peers_min: u64,
    origin_max: u64,
}

impl Expected {
    /// Nearly all of what the visitor uses comes from peers.
    fn fed(used: u64) -> Self {
        Self { peers_min: used * FED_MIN_PERCENT / 100, origin_max: used * (100 - FED_MIN_PERCENT) / 100 }
    }
}

/// What every page of this module begins with.
const SHAPE: &str = include_str!("shapes/shape.js");

/// A visitor's browser, what its page came to, and what it cost.
#[derive(Debug)]
struct Seen {
    visitor: Visitor,
    /// `window.app.result`, one entry for each shape.
    result: Value,
    status: Status,
    /// What the origin sent of the app meanwhile.
    origin: u64,
}

/// What the visits of [`runs_the_same`] leave behind.
#[derive(Debug)]
struct Visits {
    server: Server,
    plain: Seen,
    /// Fed by the full visitor, who has left; the only source of the last one.
    source: Seen,
    last: Seen,
}

/// A site of this module: its helper script and its document.
fn site_of(document: &str) -> Site {
    let mut site = Site::empty();
    site.write("/shape.js", SHAPE);
    site.write("/index.html", document);
    site
}

/// [`site::noise`], whose seeds 2n and 2n + 1 give the same bytes, of which peers would need one copy only.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    site::noise(2 * seed + 1, len)
}

/// A script that runs `code` and is `len` bytes long, most of it noise in a comment.
fn script(seed: u64, len: usize, code: &str) -> String {
    let room = len.saturating_sub(code.len() + 8);
    let noise: String = noise(seed, room).iter().map(|byte| char::from(b'0' + byte % 64)).filter(|char| *char != '\\').collect();
    format!("{code}\n//{noise}\n")
}

/// A plain, a full and a thin visit to a site of which a visit uses `used` bytes, and one more that only the thin visitor feeds:
/// what it used late it gives on like the rest.
async fn runs_the_same(engine: Engine, site: &Site, used: u64, setting: Setting) -> Visits {
    runs_the_same_with(engine, site, (used, used), setting).await
}

/// [`runs_the_same`] where the page's set is of other bytes than those that a visit uses: what is asked for and given up is in no set.
async fn runs_the_same_with(engine: Engine, site: &Site, (used, set_bytes): (u64, u64), setting: Setting) -> Visits {
    let server = Server::serve(site.folder(), &[]).await;
    let plain = plain_visit(&server, engine, "/", setting.clone()).await;
    let full = full_visit(&server, engine, "/", set_bytes).await;
    full.assert_same("full", &plain.result);
    let expected = Expected::fed(used);
    let source = thin_visit(&server, engine, "/", expected, setting.clone()).await;
    source.assert_same("thin", &plain.result);
    full.visitor.leave().await;
    server.until_seeders(1).await;
    let last = thin_visit(&server, engine, "/", expected, setting).await;
    last.assert_same("next thin", &plain.result);
    Visits { server, plain, source, last }
}

/// A visitor who opted out: what the page is without us.
async fn plain_visit(server: &Server, engine: Engine, path: &str, setting: Setting) -> Seen {
    let visitor = Visitor::with(engine, setting).await;
    visitor.open(&server.url("/.viral/")).await;
    visitor.until("our page is there", "location.pathname === '/.viral/' && document.readyState === 'complete'").await;
    visitor.run("document.cookie = 'viral=off; path=/'").await;
    let before = server.stats().await;
    visitor.open(&server.url(path)).await;
    let result = result(&visitor).await;
    let after = server.stats().await;
    assert_eq!(after.reason("plain", "opt-out") - before.reason("plain", "opt-out"), 1, "{after:?}");
    Seen { visitor, result, status: Status::default(), origin: after.origin_bytes.of_app() - before.origin_bytes.of_app() }
}

/// The first visitor: answered full, and when this returns a seeder of a page set of about so many bytes.
async fn full_visit(server: &Server, engine: Engine, path: &str, set_bytes: u64) -> Seen {
    let seen = visit(server, engine, path, Setting::default(), 0).await;
    assert_eq!(seen.status.answer, "full", "{:?}", server.stats().await.reasons);
    seeds(server, &seen.visitor, 1).await;
    seeds_all(server, set_bytes).await;
    seen
}

/// A visitor answered thin whose bytes come from where they are expected.
///
/// A moment after a page was learned its seeder is not ready yet, and on a machine busy with something else a dial may take longer
/// than the origin needs; so others may be sent after this visitor, and only so many.
async fn thin_visit(server: &Server, engine: Engine, path: &str, expected: Expected, setting: Setting) -> Seen {
    let seeders = server.stats().await.seeders;
    let mut seen = visit(server, engine, path, setting.clone(), expected.peers_min).await;
    for _ in 1..VISITORS_MAX {
        if seen.is(expected) {
            break;
        }
        println!("{engine:?} was not fed as expected, trying once more: {:?}; the origin sent {}", seen.status, seen.origin);
        seen.visitor.leave().await;
        server.until_seeders(seeders).await;
        seen = visit(server, engine, path, setting.clone(), expected.peers_min).await;
    }
    assert_eq!(seen.status.answer, "thin", "{:?}", server.stats().await.reasons);
    assert!(seen.is(expected), "not {expected:?}: the origin sent {}: {:?} {}", seen.origin, seen.status, seen.result);
    assert_eq!(seen.status.bans, 0, "{:?}", seen.status);
    seeds(server, &seen.visitor, seeders + 1).await;
    seen
}

/// Visitors sent until one is fed as expected.
const VISITORS_MAX: usize = 3;

impl Seen {
    fn is(&self, expected: Expected) -> bool {
        self.status.answer == "thin" && self.status.bytes_from_peers >= expected.peers_min && self.origin <= expected.origin_max
    }

    /// Nothing worth mentioning was downloaded that the page did not use.
    fn assert_took_at_most(&self, bytes: u64) {
        let took = self.status.bytes_from_peers + self.origin;
        assert!(took <= bytes, "took {took} bytes, not at most {bytes}: {:?}", self.status);
    }

    /// Every shape gave what it gives without us.
    fn assert_same(&self, name: &str, plain: &Value) {
        for (shape, expected) in plain.as_object().expect("a page lists its shapes") {
            assert_eq!(self.result[shape], *expected, "{shape} of the {name} visit");
        }
        assert_eq!(self.result, *plain, "{name}");
    }
}

/// A visit until every shape has its result and the page's count says that peers gave so much, or a moment longer.
async fn visit(server: &Server, engine: Engine, path: &str, setting: Setting, peers_min: u64) -> Seen {
    let visitor = Visitor::with(engine, setting).await;
    let before = server.stats().await.origin_bytes.of_app();
    visitor.open(&server.url(path)).await;
    let result = result(&visitor).await;
    visitor.until_status("it takes part", |status| status.role == "seeder").await;
    let counted = async || {
        let status = visitor.status().await;
        if status.answer != "thin" || status.bytes_from_peers >= peers_min { Ok(status) } else { Err(status) }
    };
    let status = wait::try_until(COUNTED, counted).await.unwrap_or_else(|status| status);
    let origin = server.stats().await.origin_bytes.of_app() - before;
    Seen { visitor, result, status, origin }
}

/// Until bytes that a worker got are in the page's count.
const COUNTED: Duration = Duration::from_secs(5);

async fn result(visitor: &Visitor) -> Value {
    let app = visitor.until_app_runs().await;
    let hung = app["result"].as_object().is_some_and(|shapes| shapes.values().any(|value| value == "hung"));
    assert!(!hung, "a shape hung: {app}");
    app["result"].clone()
}
