//! Browsers that guard the local network: no visitor is ever asked for a permission, and the app comes without one.
//!
//! Chromium's checks of WebRTC are switched on here; by default they are off. Without a window nobody can answer, so what would be a prompt is a permission that turns from `prompt`
//! to `denied` by itself: [`states`] sees it.

use serde_json::{Value, json};
use viral_journeys::browser::{Engine::Chromium, Setting};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, seeds};

/// Checks of everything, of connections to peers as well.
const GUARDED: &str = "--enable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebRTC";

/// Visitors are told each other's `.local` names, as those of an office are by a server outside.
const OUTSIDE: &[&str] = &["--rewrite-local", "never"];

/// What the administrators' guide tells an operator to send.
const NEVER: &[&str] = &["--header", "Permissions-Policy: local-network=(), local-network-access=(), loopback-network=()"];

/// Starts a browser for which policies of an enterprise are in force, where nobody else sees them.
const ALLOWED_BY_POLICY: &[&str] = &[
    "unshare",
    "-m",
    "sh",
    "-c",
    "mount -t tmpfs none /etc/chromium && mkdir -p /etc/chromium/policies/managed && \
     echo '{\"LocalNetworkAccessAllowedForUrls\":[\"*\"]}' > /etc/chromium/policies/managed/local.json && exec \"$@\"",
    "sh",
];

/// A browser that guards the local network; a page of the server is `public` to it, as one from the internet is, or local.
fn guarded(server: &Server, public: bool, under: &'static [&'static str]) -> Setting {
    let mut flags = vec![GUARDED.to_owned()];
    if public {
        flags.push(format!("--ip-address-space-overrides={}=public", server.address()));
    }
    Setting { flags, under, ..Setting::default() }
}

/// What the browser says of each permission.
async fn states(visitor: &Visitor) -> Value {
    visitor
        .run_async(
            "const states = {};
             for (const name of ['local-network', 'local-network-access', 'loopback-network']) states[name] = (await navigator.permissions.query({ name })).state;
             return states;",
        )
        .await
}

fn all(state: &str) -> Value {
    json!({ "local-network": state, "local-network-access": state, "loopback-network": state })
}

/// One guarded visitor after another; both have the app. Returns them, the second one came while the first seeded.
async fn two_visitors(server: &Server, site: &Site, setting: impl Fn() -> Setting) -> [Visitor; 2] {
    let first = Visitor::with(Chromium, setting()).await;
    first.open(&server.url("/")).await;
    assert_whole(&first.until_app_runs().await, site);
    seeds(server, &first, 1).await;
    let second = Visitor::with(Chromium, setting()).await;
    second.open(&server.url("/")).await;
    assert_whole(&second.until_app_runs().await, site);
    assert_eq!(second.status().await.answer, "thin", "{:?}", server.stats().await.reasons);
    [first, second]
}

#[tokio::test]
async fn a_page_that_says_never_asks_nobody_and_has_its_app() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[OUTSIDE, NEVER].concat()).await;
        for visitor in two_visitors(&server, &site, || guarded(&server, true, &[])).await {
            // From the beginning, without a request.
            assert_eq!(states(&visitor).await, all("denied"));
            assert_eq!(visitor.permissions_requested().await, 0);
            let status = visitor.status().await;
            println!("guarded, never: {} from peers, {} from the server", status.bytes_from_peers, status.bytes_from_origin);
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_the_local_network_asks_nobody_and_has_its_app_from_a_peer() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), OUTSIDE).await;
        let visitors = two_visitors(&server, &site, || guarded(&server, false, &[])).await;
        for visitor in &visitors {
            assert_eq!((states(visitor).await, visitor.permissions_requested().await), (all("prompt"), 0), "nothing was asked");
        }
        assert!(visitors[1].status().await.bytes_from_peers > 0, "{:?}", visitors[1].status().await);
    })
    .await;
}

#[tokio::test]
async fn where_a_policy_allows_it_a_page_asks_nobody_and_has_its_app_from_a_peer() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), OUTSIDE).await;
        let visitors = two_visitors(&server, &site, || guarded(&server, true, ALLOWED_BY_POLICY)).await;
        for visitor in &visitors {
            assert_eq!((states(visitor).await, visitor.permissions_requested().await), (all("granted"), 0));
        }
        assert!(visitors[1].status().await.bytes_from_peers > 0, "{:?}", visitors[1].status().await);
    })
    .await;
}

/// Today's Chromium, whose checks do not look at WebRTC: so nothing needs to be sent.
#[tokio::test]
async fn without_checks_of_webrtc_a_public_page_asks_nobody_and_has_its_app_from_a_peer() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), OUTSIDE).await;
        let plainly = || Setting { flags: vec![format!("--ip-address-space-overrides={}=public", server.address())], ..Setting::default() };
        let visitors = two_visitors(&server, &site, plainly).await;
        for visitor in &visitors {
            assert_eq!((states(visitor).await, visitor.permissions_requested().await), (all("prompt"), 0));
        }
        assert!(visitors[1].status().await.bytes_from_peers > 0, "{:?}", visitors[1].status().await);
    })
    .await;
}

/// What the header is for; should this fail, a browser changed and the guide is to be read again.
#[tokio::test]
async fn a_guarded_public_page_that_says_nothing_would_ask_and_has_its_app_all_the_same() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), OUTSIDE).await;
        let visitors = two_visitors(&server, &site, || guarded(&server, true, &[])).await;
        println!("guarded: {:?}", visitors[1].status().await);
        assert!(visitors[1].permissions_requested().await > 0, "{}", states(&visitors[1]).await);
    })
    .await;
}

#[tokio::test]
async fn the_doctor_asks_nobody_and_tries_a_transfer() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), OUTSIDE).await;
        let visitor = Visitor::with(Chromium, guarded(&server, true, &[])).await;
        visitor.open(&server.url("/.viral/doctor")).await;
        let found = visitor.until("it found out", "window.viralDoctor").await;
        assert_eq!((states(&visitor).await, visitor.permissions_requested().await), (all("prompt"), 0), "{found}");
        let transfer = found["findings"].as_array().and_then(|all| all.iter().find(|one| one["check"] == "transfer"));
        assert_eq!(transfer.map(|transfer| &transfer["verdict"]), Some(&json!("good")), "{found}");
    })
    .await;
}
