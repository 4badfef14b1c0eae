//! An app that routes in the browser, entered at three paths.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::wait::journey;

use super::{Expected, full_visit, noise, plain_visit, script, site_of, thin_visit};

fn routed() -> Site {
    let mut site = site_of(include_str!("routed.html"));
    site.write("/app.js", script(71, 600_000, "window.appScript = 'ran';"));
    site.write("/bundle.bin", noise(72, 2 << 20));
    site.write("/chunk.bin", noise(73, 1 << 20));
    site
}

/// As the page at `path` sees itself; the rest is the same at each.
fn at(plain: &serde_json::Value, view: &str) -> serde_json::Value {
    let mut expected = plain.clone();
    expected["view"] = view.into();
    expected
}

async fn entered_at_three_paths(first: Engine, second: Engine) {
    let site = routed();
    let server = Server::serve(site.folder(), &["--spa"]).await;
    let plain = plain_visit(&server, second, "/", Setting::default()).await;
    assert_eq!(plain.result["pushed"], serde_json::json!(["/pushed/deep", 1, "view /pushed/deep"]));
    plain.visitor.leave().await;
    let full = full_visit(&server, first, "/", site.len()).await;
    full.assert_same("full", &at(&plain.result, "view /"));
    let fed = Expected::fed(site.len());
    let second = thin_visit(&server, second, "/users/7", fed, Setting::default()).await;
    second.assert_same("second", &at(&plain.result, "view /users/7"));
    full.visitor.leave().await;
    server.until_seeders(1).await;
    let third = thin_visit(&server, first, "/a/b?x=1", fed, Setting::default()).await;
    third.assert_same("third", &at(&plain.result, "view /a/b?x=1"));
}

#[tokio::test]
async fn an_app_that_routes_in_the_browser_comes_from_peers_at_whichever_path_it_is_entered() {
    journey(entered_at_three_paths(Chromium, Firefox)).await;
}

#[tokio::test]
async fn an_app_that_routes_in_the_browser_comes_from_peers_in_firefox_first() {
    journey(entered_at_three_paths(Firefox, Chromium)).await;
}
