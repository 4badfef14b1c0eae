//! Sites whose own headers or markup stand in the way of an easy deploy.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::wait::journey;

use crate::common::{fed_by_peers, first_seeder, seeds};

/// Puts an inline script into the page; true when the page's policy let it run.
const RUNS_INLINE: &str = "
    const script = document.createElement('script');
    script.textContent = 'window.inlineRan = true';
    document.head.append(script);
    return window.inlineRan === true;";

async fn policy_of_own_scripts_only(engine: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &["--header", "Content-Security-Policy: script-src 'self'"]).await;
    let seeder = first_seeder(&server, &site, Chromium).await;
    assert_eq!(seeder.run(RUNS_INLINE).await, false, "the full page keeps its policy");
    let visitor = fed_by_peers(&server, &site, engine).await;
    assert_eq!(visitor.run(RUNS_INLINE).await, false, "the deployed page keeps its policy");
    seeds(&server, &visitor, 2).await;
}

#[tokio::test]
async fn a_policy_of_own_scripts_only_holds_in_chromium_and_the_app_comes_from_a_peer() {
    journey(policy_of_own_scripts_only(Chromium)).await;
}

#[tokio::test]
async fn a_policy_of_own_scripts_only_holds_in_firefox_and_the_app_comes_from_a_peer() {
    journey(policy_of_own_scripts_only(Firefox)).await;
}

async fn isolated(engine: Engine) {
    let site = App::default().site();
    let headers = ["--header", "Cross-Origin-Opener-Policy: same-origin", "--header", "Cross-Origin-Embedder-Policy: require-corp"];
    let server = Server::serve(site.folder(), &headers).await;
    let seeder = first_seeder(&server, &site, Chromium).await;
    assert_eq!(seeder.run("return crossOriginIsolated").await, true);
    let visitor = fed_by_peers(&server, &site, engine).await;
    assert_eq!(visitor.until_app_runs().await["isolated"], true);
    assert_eq!(visitor.run("return new SharedArrayBuffer(8).byteLength").await, 8);
}

#[tokio::test]
async fn a_page_isolated_from_other_origins_is_so_after_a_thin_visit_in_chromium() {
    journey(isolated(Chromium)).await;
}

#[tokio::test]
async fn a_page_isolated_from_other_origins_is_so_after_a_thin_visit_in_firefox() {
    journey(isolated(Firefox)).await;
}

/// Adds a module script that imports by a bare name, and leaves what came of it in `window.again`.
const IMPORTS_AGAIN: &str = r#"
    const script = document.createElement('script');
    script.type = 'module';
    script.textContent = "import('the-app').then((it) => { window.again = typeof it; }, (error) => { window.again = String(error); });";
    document.head.append(script);
"#;

async fn import_map(engine: Engine) {
    let site = App { has_import_map: true, ..App::default() }.site();
    let server = Server::serve(site.folder(), &[]).await;
    let _seeder = first_seeder(&server, &site, engine).await;
    let visitor = fed_by_peers(&server, &site, engine).await;
    // The map still holds for modules imported later, by the page itself: a script of the driver's has no map in Firefox.
    visitor.run(IMPORTS_AGAIN).await;
    visitor.until("the import is settled", "window.again").await;
    assert_eq!(visitor.run("return window.again").await, "object");
}

#[tokio::test]
async fn a_page_with_an_import_map_runs_in_firefox_after_a_thin_visit() {
    journey(import_map(Firefox)).await;
}

#[tokio::test]
async fn a_page_with_an_import_map_runs_in_chromium_after_a_thin_visit() {
    journey(import_map(Chromium)).await;
}
