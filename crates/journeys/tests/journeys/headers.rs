//! Sites whose own headers or markup stand in the way of an easy deploy.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::deadlines;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::wait::{journey, until};

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

/// Where browsers send what a policy reports, and the bodies that came there.
async fn reports() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let came = Arc::new(Mutex::new(Vec::new()));
    let coming = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let coming = Arc::clone(&coming);
            tokio::spawn(async move {
                let mut said = Vec::new();
                // Each is one object, and nothing follows it.
                while !said.ends_with(b"}") && stream.read_buf(&mut said).await.is_ok_and(|len| len > 0) {}
                coming.lock().expect("nobody panics").push(String::from_utf8_lossy(&said).into_owned());
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            });
        }
    });
    (url, came)
}

async fn policy_that_only_reports(engine: Engine) {
    let site = App::default().site();
    let (url, came) = reports().await;
    let policy = format!("Content-Security-Policy-Report-Only: script-src 'self'; connect-src 'self'; worker-src 'self'; report-uri {url}");
    let server = Server::serve(site.folder(), &["--header", &policy]).await;
    let _seeder = first_seeder(&server, &site, Chromium).await;
    let visitor = fed_by_peers(&server, &site, engine).await;
    seeds(&server, &visitor, 2).await;
    let reports = || came.lock().expect("nobody panics").clone();
    assert_eq!(reports(), [""; 0], "nothing of ours is reported");
    assert_eq!(visitor.run(RUNS_INLINE).await, true, "it only reports");
    let is_reported = async || if reports().is_empty() { Err("no report".to_owned()) } else { Ok(()) };
    until("the page's own fault is reported", deadlines::CONDITION, is_reported).await;
    assert!(reports().len() == 1 && reports()[0].contains("inline"), "{:?}", reports());
}

#[tokio::test]
async fn a_policy_that_only_reports_hears_nothing_of_us_in_chromium() {
    journey(policy_that_only_reports(Chromium)).await;
}

#[tokio::test]
async fn a_policy_that_only_reports_hears_nothing_of_us_in_firefox() {
    journey(policy_that_only_reports(Firefox)).await;
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
